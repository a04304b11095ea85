// SPDX-License-Identifier: Apache-2.0
// Spans for the exporters' tests and benches: shaped as the span stage makes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

inline constexpr uint64_t kNoon = 1'795'262'400'000'000'000;  // 2026-11-21T12:00:00Z
inline constexpr uint64_t kMs = 1'000'000;

inline std::shared_ptr<const Resource> MakeResource(const std::string& service) {
  auto resource = std::make_shared<Resource>();
  resource->service_name = service;
  resource->attributes = {
      {"service.name", service},
      {"process.pid", int64_t{4242}},
      {"process.executable.name", std::string("nginx")},
      {"process.command_args", std::vector<std::string>{"nginx", "-g", "daemon off;"}},
      {"host.name", std::string("shop-1")},
      {"host.arch", std::string("amd64")},
      {"os.type", std::string("linux")},
      {"telemetry.sdk.name", std::string("sonde")},
      {"telemetry.sdk.language", std::string("cpp")},
      {"telemetry.sdk.version", std::string("0.1.0")}};
  return resource;
}

// Span and trace ids count from `number`; lasts from kNoon for 42.1 ms unless changed.
inline Span ServerSpan(uint64_t number, std::shared_ptr<const Resource> resource) {
  IdGenerator ids(number);
  Span span;
  span.trace_id = ids.NewTraceId();
  span.span_id = ids.NewSpanId();
  span.kind = SpanKind::kServer;
  span.name = "GET /cart/{id}";
  span.start_wall_ns = kNoon;
  span.end_wall_ns = kNoon + (42 * kMs) + (kMs / 10);
  span.attributes = {
      {"http.request.method", std::string("GET")},
      {"url.scheme", std::string("http")},
      {"url.path", std::string("/cart/42")},
      {"http.route", std::string("/cart/{id}")},
      {"http.response.status_code", int64_t{200}},
      {"network.protocol.name", std::string("http")},
      {"network.protocol.version", std::string("1.1")},
      {"server.address", std::string("shop.example")},
      {"server.port", int64_t{8080}},
      {"client.address", std::string("127.0.0.1")},
      {"client.port", int64_t{53210}},
      {"network.peer.address", std::string("127.0.0.1")},
      {"network.peer.port", int64_t{53210}},
      {"user_agent.original", std::string("Mozilla/5.0 (X11; Linux x86_64) sample/1.0")},
      {"http.response.body.size", int64_t{1024}},
      {"sonde.capture.source", std::string("socket")}};
  span.resource = std::move(resource);
  return span;
}

inline Span ClientSpan(uint64_t number, const Span& parent) {
  Span span = ServerSpan(number, parent.resource);
  span.trace_id = parent.trace_id;
  span.parent_span_id = parent.span_id;
  span.kind = SpanKind::kClient;
  span.name = "GET";
  span.attributes = {{"http.request.method", std::string("GET")},
                     {"url.full", std::string("http://127.0.0.1:5001/cart/42?ref=mail")},
                     {"server.address", std::string("127.0.0.1")},
                     {"server.port", int64_t{5001}},
                     {"http.response.status_code", int64_t{200}},
                     {"sonde.link.method", std::string("thread")}};
  return span;
}

// Everything a span can hold, with values that are hard to encode.
inline Span HardSpan(uint64_t number, std::shared_ptr<const Resource> resource) {
  Span span = ServerSpan(number, std::move(resource));
  span.parent_span_id = IdGenerator(number + 1).NewSpanId();
  span.parent_is_remote = true;
  span.trace_flags = 3;
  span.tracestate = "vendor=a\"b,other=1";
  span.status = SpanStatus::kError;
  span.status_message = "line one\nline two\ttab \\ \"quoted\" \x01\x1f";
  span.name = "GET /caf\xc3\xa9/\xf0\x9f\x8d\xb0";
  span.attributes.push_back({"empty", std::string()});
  span.attributes.push_back({"control.c1", std::string("a\xc2\x9b"
                                                       "31m")});
  span.attributes.push_back({"negative", int64_t{-1}});
  span.attributes.push_back({"smallest", INT64_MIN});
  span.attributes.push_back({"largest", INT64_MAX});
  span.attributes.push_back({"double", 0.1});
  span.attributes.push_back({"huge", 1.7976931348623157e308});
  span.attributes.push_back({"true", true});
  span.attributes.push_back({"false", false});
  span.attributes.push_back({"list", std::vector<std::string>{"a", "", "b\"c"}});
  span.attributes.push_back({"empty.list", std::vector<std::string>{}});
  span.attributes.push_back({"long", std::string(5000, 'x')});
  span.attributes.push_back({"seventeen", std::string("0123456789abcdef\"")});
  span.links.push_back({IdGenerator(number + 2).NewTraceId(),
                        IdGenerator(number + 3).NewSpanId(),
                        {{"sonde.link.confidence", 0.75}}});
  return span;
}

}  // namespace sonde::exporter
