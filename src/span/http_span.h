// SPDX-License-Identifier: Apache-2.0
// Name, attributes and status of HTTP spans, as OpenTelemetry's HTTP semantic conventions 1.45
// (stable) say.
#pragma once

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/attribute_writer.h"
#include "span/disclosure.h"
#include "span/http_method.h"
#include "span/route_learner.h"

namespace sonde::span {

class HttpSpan {
 public:
  HttpSpan(const RouteOptions& routes, MetricRegistry& metrics);

  // Fills name, status and the HTTP part of the attributes; required ones first.
  void Describe(const Exchange& exchange, const HttpExchange& http, const Owner& owner,
                AttributeWriter& writer, Span& span);

 private:
  void DescribeServer(const Exchange& exchange, const HttpExchange& http, const Owner& owner,
                      AttributeWriter& writer, Span& span);
  void AddMethod(const HttpRequest& request, AttributeWriter& writer, Span& span) const;

  KnownMethods methods_;
  RouteLearner routes_;
};

}  // namespace sonde::span
