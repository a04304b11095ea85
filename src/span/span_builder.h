// SPDX-License-Identifier: Apache-2.0
// The span stage: exchange -> span, without ids, parent and resource, which later stages add.
#pragma once

#include <memory>
#include <string_view>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/baggage.h"
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

  // `service` names the table of learnt routes: service.name of the process, "" if it has none
  // (packets).
  Span Build(const Exchange& exchange, std::string_view service, const WallClock& clock);

 private:
  SpanBuilder(const RouteOptions& routes, const RedactionOptions& redaction,
              const AttributeLimits& limits, MetricRegistry& metrics);

  AttributeLimits limits_;
  HttpSpan http_;
  Baggage baggage_;
};

}  // namespace sonde::span
