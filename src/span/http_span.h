// SPDX-License-Identifier: Apache-2.0
// Name, attributes and status of HTTP spans, as OpenTelemetry's HTTP semantic conventions 1.45
// (stable) say.
#pragma once

#include <string_view>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/attribute_writer.h"
#include "span/header_names.h"
#include "span/http_method.h"
#include "span/redactor.h"
#include "span/route_learner.h"

namespace sonde::span {

class HttpSpan {
 public:
  HttpSpan(const RouteOptions& routes, const RedactionOptions& redaction, MetricRegistry& metrics);

  // Fills name, status and the HTTP part of the attributes; required ones first.
  void Describe(const Exchange& exchange, const HttpExchange& http, std::string_view service,
                AttributeWriter& writer, Span& span);

 private:
  void DescribeServer(const Exchange& exchange, const HttpExchange& http, std::string_view service,
                      AttributeWriter& writer, Span& span);
  void DescribeClient(const Exchange& exchange, const HttpExchange& http, AttributeWriter& writer,
                      Span& span) const;
  void AddMethod(const HttpRequest& request, AttributeWriter& writer, Span& span) const;
  void AddMessage(const Exchange& exchange, const HttpExchange& http,
                  AttributeWriter& writer) const;
  static void AddHeaders(const std::vector<HttpHeader>& headers,
                         const std::vector<AllowedHeader>& allowed, AttributeWriter& writer);

  KnownMethods methods_;
  Redactor redactor_;
  RouteLearner routes_;
  std::vector<AllowedHeader> request_headers_;
  std::vector<AllowedHeader> response_headers_;
};

}  // namespace sonde::span
