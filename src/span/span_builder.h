// SPDX-License-Identifier: Apache-2.0
// The span stage: exchange -> span, without ids, parent and resource, which later stages add.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/disclosure.h"
#include "span/http_span.h"

namespace sonde::span {

// Drain thread only. A reload of the configuration makes a new one; what it learnt of routes starts
// afresh.
class SpanBuilder {
 public:
  static Result<std::unique_ptr<SpanBuilder>> Create(const RouteOptions& routes,
                                                     const RedactionOptions& redaction,
                                                     const AttributeLimits& limits,
                                                     MetricRegistry& metrics);

  // Of `resource` counts the name, which is that of a table of learnt routes ("" of packets), and
  // what its rule says of redaction.
  Span Build(const Exchange& exchange, const Resource& resource, const WallClock& clock);

 private:
  SpanBuilder(const RouteOptions& routes, const RedactionOptions& redaction,
              const AttributeLimits& limits, MetricRegistry& metrics);

  const Disclosure& DisclosureOf(const std::shared_ptr<const RuleSettings>& rule);

  AttributeLimits limits_;
  HttpSpan http_;
  Disclosure disclosure_;
  // Of the rules that have one of their own; made with the first span.
  absl::flat_hash_map<std::shared_ptr<const RuleSettings>, Disclosure> of_rules_;
};

}  // namespace sonde::span
