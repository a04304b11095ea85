// SPDX-License-Identifier: Apache-2.0
// A small language for trace tests: threads read requests and send calls on connections of one
// host, and the spans that come out are found by the exchange they belong to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/span_factory.h"
#include "trace/trace_stage.h"

namespace sonde::trace {

// Both ends of a TCP connection and the sequence number of the next request on it.
struct Link {
  ConnectionInfo client;
  ConnectionInfo server;
  uint32_t position = 0;
};

class World : public SpanFactory, public SpanSink {
 public:
  explicit World(LinkingOptions options = {}) {
    auto made = TraceStage::Create(options, *this, *this, IdGenerator(42), metrics);
    EXPECT_TRUE(made.ok()) << made.status();
    stage = *std::move(made);
  }

  static Execution Thread(uint32_t tgid, uint32_t tid) {
    return {.tgid = tgid, .tid = tid, .id = 0, .runtime = RuntimeKind::kNone};
  }
  // What a runtime says, on that thread.
  void Says(ExecutionChange change, const Execution& by, uint64_t from, uint64_t to,
            ConnectionId connection = 0, uint64_t counter = 0) {
    stage->OnExecution({.mono_ns = ++now,
                        .change = change,
                        .connection = connection,
                        .from = from,
                        .to = to,
                        .counter = counter,
                        .by = by});
  }
  // Bytes came in on a connection.
  void Receives(ConnectionId connection, const Execution& by) {
    DataEvent event;
    event.mono_ns = ++now;
    event.connection = connection;
    event.who = by;
    stage->OnReceived(event);
  }

  Link Connect() {
    Link link;
    ++connections_;
    link.position = connections_ * 1'000'003U;
    link.client.id = 2 * connections_;
    link.server.id = link.client.id + 1;
    link.client.netns = link.server.netns = 7;
    const Endpoint a{.family = 4,
                     .port = static_cast<uint16_t>(30'000 + (connections_ % 30'000)),
                     .address = {127, 0, static_cast<uint8_t>(connections_ / 30'000), 1},
                     .path = {}};
    const Endpoint b{.family = 4, .port = 80, .address = {127, 0, 0, 1}, .path = {}};
    link.client.local = link.server.remote = a;
    link.client.remote = link.server.local = b;
    return link;
  }

  // A server thread reads the request that stands on the link; a client thread writes one. With
  // both ends traced, call Send first and then Read with the same position (Send does not move it,
  // Next does).
  ExchangeId Read(const Link& link, Execution by, const std::string& traceparent = "") {
    return Start(Role::kServer, link.server, link.position, by, traceparent);
  }
  ExchangeId Send(const Link& link, Execution by, const std::string& traceparent = "") {
    return Start(Role::kClient, link.client, link.position, by, traceparent);
  }
  static void Next(Link& link) { link.position += 100; }

  // First byte of the response, by whom.
  void Respond(ExchangeId id, Execution by) {
    Exchange& exchange = open_.at(id);
    exchange.response.seen = true;
    exchange.response.first_mono_ns = ++now;
    exchange.response.first_by = by;
    stage->OnResponseStart(id, exchange.response);
  }

  void End(ExchangeId id, Unfinished unfinished = Unfinished::kNo) {
    Exchange exchange = std::move(open_.at(id));
    open_.erase(id);
    if (unfinished == Unfinished::kNo) exchange.response.last_mono_ns = ++now;
    exchange.unfinished = unfinished;
    stage->OnExchange(exchange);
  }

  // The usual case: the thread that asked or was asked finishes it.
  void Finish(ExchangeId id) {
    const Execution by = open_.at(id).request.last_by;
    Respond(id, by);
    End(id);
  }

  void Tick(uint64_t after_ns) { stage->OnTick(now += after_ns); }
  bool Out(ExchangeId id) const { return spans.contains(id); }
  const Span& Of(ExchangeId id) const { return spans.at(id); }
  std::string Method(ExchangeId id) const {
    const AttributeValue* value = FindAttribute(Of(id).attributes, "sonde.link.method");
    return value == nullptr ? "" : std::get<std::string>(*value);
  }
  bool IsChild(ExchangeId child, ExchangeId parent) const {
    return Of(child).parent_span_id == Of(parent).span_id &&
           Of(child).trace_id == Of(parent).trace_id;
  }
  bool IsRoot(ExchangeId id) const { return !Of(id).parent_span_id.valid() && Method(id).empty(); }
  double Metric(const std::string& name, const std::string& label = "") const {
    for (const MetricFamily& family : metrics.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        if (label.empty() || sample.labels.back().second == label) return sample.value;
      }
    }
    return -1;
  }

  Span Build(const Exchange& exchange) override {
    Span span;
    span.kind = exchange.role == Role::kServer ? SpanKind::kServer : SpanKind::kClient;
    span.name = std::to_string(exchange.id);
    span.start_wall_ns = exchange.request.first_mono_ns;
    span.end_mono_ns = std::max(exchange.request.last_mono_ns, exchange.response.last_mono_ns);
    span.end_wall_ns = span.end_mono_ns;
    span.protocol = exchange.protocol;
    return span;
  }
  void OnSpan(Span&& span) override {
    const ExchangeId id = std::stoull(span.name);
    EXPECT_TRUE(spans.emplace(id, std::move(span)).second)
        << "exchange " << id << " came out twice";
  }

  MetricRegistry metrics;
  std::unique_ptr<TraceStage> stage;
  std::map<ExchangeId, Span> spans;
  uint64_t now = 1'000'000;
  // What is read and sent, beside the traceparent.
  HttpRequest request = {.method = "GET", .target = "/", .version = "1.1", .headers = {}};
  uint32_t stream = 0;
  bool plain_text = false;

 private:
  ExchangeId Start(Role role, const ConnectionInfo& connection, uint32_t position, Execution by,
                   const std::string& traceparent) {
    const ExchangeId id = ++exchanges_;
    // The stage must not need the connection after the call.
    const auto info = std::make_unique<ConnectionInfo>(connection);
    info->plain_text = plain_text;
    Exchange exchange;
    exchange.id = id;
    exchange.protocol = "http1";
    exchange.role = role;
    exchange.request = {.seen = true,
                        .first_mono_ns = ++now,
                        .last_mono_ns = now,
                        .first_position = position,
                        .first_by = by,
                        .last_by = by,
                        .wire_bytes = 100};
    HttpExchange http;
    http.request = request;
    if (!traceparent.empty()) http.request.headers.push_back({"traceparent", traceparent});
    const RequestStart start{.id = id,
                             .role = role,
                             .connection = info.get(),
                             .request = exchange.request,
                             .http = &http.request,
                             .stream = stream};
    exchange.detail = http;
    open_.emplace(id, std::move(exchange));
    stage->OnRequestStart(start);
    return id;
  }

  std::map<ExchangeId, Exchange> open_;
  uint32_t connections_ = 0;
  ExchangeId exchanges_ = 0;
};

}  // namespace sonde::trace
