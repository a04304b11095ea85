// SPDX-License-Identifier: Apache-2.0
// Builds HTTP exchanges for span tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/span_builder.h"

namespace sonde::span {

// An exchange between 10.0.0.7:51000 (client) and 10.0.0.1:8080 (server), changed as a test needs.
struct HttpCase {
  explicit HttpCase(Role role = Role::kServer) {
    const Endpoint client{.family = 4, .port = 51'000, .address = {10, 0, 0, 7}, .path = {}};
    const Endpoint server{.family = 4, .port = 8080, .address = {10, 0, 0, 1}, .path = {}};
    connection.local = role == Role::kServer ? server : client;
    connection.remote = role == Role::kServer ? client : server;
    exchange.id = 1;
    exchange.protocol = "http1";
    exchange.role = role;
    exchange.request.seen = exchange.response.seen = true;
    exchange.request.first_mono_ns = 1'000;
    exchange.request.last_mono_ns = 1'500;
    exchange.response.first_mono_ns = 2'000;
    exchange.response.last_mono_ns = 3'000;
    exchange.request.first_by.tgid = 42;
    http.request.method = "GET";
    http.request.target = "/";
    http.request.version = http.response.version = "1.1";
    http.response.status = 200;
  }

  HttpCase& Request(std::string method, std::string target) {
    http.request.method = std::move(method);
    http.request.target = std::move(target);
    return *this;
  }
  HttpCase& Header(std::string name, std::string value) {
    http.request.headers.push_back({std::move(name), std::move(value)});
    return *this;
  }
  HttpCase& Status(uint32_t status) {
    http.response.status = status;
    return *this;
  }

  Exchange Make() {
    Exchange made = exchange;
    made.connection = &connection;
    made.detail = http;
    return made;
  }

  ConnectionInfo connection;
  Exchange exchange;
  HttpExchange http;
};

struct Builder {
  explicit Builder(const RouteOptions& routes = {}, const RedactionOptions& redaction = {},
                   const AttributeLimits& limits = {}) {
    auto made = SpanBuilder::Create(routes, redaction, limits, metrics);
    EXPECT_TRUE(made.ok());
    builder = *std::move(made);
  }
  Span Build(HttpCase& http_case, const std::string& service = "shop",
             std::shared_ptr<const RuleSettings> rule = {}) {
    const Resource resource{.attributes = {}, .service_name = service, .rule = std::move(rule)};
    return builder->Build(http_case.Make(), resource, WallClock(1'000'000));
  }

  MetricRegistry metrics;
  std::unique_ptr<SpanBuilder> builder;
};

// The attribute as text: strings as they are, numbers in decimal, lists joined by "|"; "<none>" if
// there is none.
inline std::string Text(const Span& span, std::string_view key) {
  const AttributeValue* value = FindAttribute(span.attributes, key);
  if (value == nullptr) return "<none>";
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  if (const auto* number = std::get_if<int64_t>(value)) return std::to_string(*number);
  std::string joined;
  for (const std::string& item : std::get<std::vector<std::string>>(*value)) {
    joined += (joined.empty() ? "" : "|") + item;
  }
  return joined;
}

}  // namespace sonde::span
