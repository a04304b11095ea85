// SPDX-License-Identifier: Apache-2.0
// Cost of the trace stage per span, without building it; the budget is 0.5 us.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/span_factory.h"
#include "trace/trace_stage.h"

namespace sonde::trace {
namespace {

class Bench : public SpanFactory, public SpanSink {
 public:
  Bench() {
    stage = TraceStage::Create({}, *this, *this, IdGenerator(1), metrics).value();
    request.method = "GET";
    request.target = "/api/v1/users/48213/orders";
    request.headers = {
        {"host", "shop.example:8080"}, {"user-agent", "curl/8.1"}, {"accept", "*/*"}};
  }

  Span Build(const Exchange& exchange) override {
    Span span;
    span.kind = exchange.role == Role::kServer ? SpanKind::kServer : SpanKind::kClient;
    span.protocol = exchange.protocol;
    span.end_mono_ns = exchange.response.last_mono_ns;
    span.attributes.reserve(20);
    return span;
  }
  void OnSpan(Span&& span) override { benchmark::DoNotOptimize(span); }

  // `client_port` and `position` name the message at both ends.
  Exchange Start(Role role, ConnectionId id, uint16_t client_port, uint32_t position,
                 Execution by) {
    connection.id = id;
    const Endpoint client{.family = 4, .port = client_port, .address = {127, 0, 0, 1}, .path = {}};
    const Endpoint server{.family = 4, .port = 80, .address = {127, 0, 0, 1}, .path = {}};
    connection.local = role == Role::kServer ? server : client;
    connection.remote = role == Role::kServer ? client : server;
    Exchange exchange;
    exchange.id = ++exchanges;
    exchange.protocol = "http1";
    exchange.role = role;
    exchange.connection = &connection;
    exchange.request.seen = true;
    exchange.request.first_mono_ns = exchange.request.last_mono_ns = ++now;
    exchange.request.first_position = position;
    exchange.request.first_by = exchange.request.last_by = by;
    stage->OnRequestStart({.id = exchange.id,
                           .role = role,
                           .connection = &connection,
                           .request = exchange.request,
                           .http = &request});
    return exchange;
  }
  void End(Exchange exchange) {
    exchange.response = exchange.request;
    exchange.response.first_mono_ns = exchange.response.last_mono_ns = ++now;
    stage->OnResponseStart(exchange.id, exchange.response);
    stage->OnExchange(exchange);
  }

  MetricRegistry metrics;
  std::unique_ptr<TraceStage> stage;
  ConnectionInfo connection;
  HttpRequest request;
  ExchangeId exchanges = 0;
  uint64_t now = 0;
};

// What nginx under load gives: server spans only, many open at once.
void BM_ServerOnly(benchmark::State& state) {
  Bench bench;
  uint32_t position = 0;
  for (auto _ : state) {
    bench.End(bench.Start(Role::kServer, 1, 40'000, ++position, {.tgid = 1, .tid = 1, .id = 0}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ServerOnly);

// Three spans per round: server, its call, and the server at the other end; joined by thread and
// connection.
void BM_LinkedTree(benchmark::State& state) {
  Bench bench;
  uint32_t position = 0;
  const Execution front{.tgid = 1, .tid = 1, .id = 0};
  const Execution back{.tgid = 2, .tid = 2, .id = 0};
  for (auto _ : state) {
    ++position;
    Exchange server = bench.Start(Role::kServer, 1, 40'000, position, front);
    Exchange call = bench.Start(Role::kClient, 2, 50'000, position, front);
    Exchange far = bench.Start(Role::kServer, 3, 50'000, position, back);
    bench.End(std::move(far));
    bench.End(std::move(call));
    bench.End(std::move(server));
    if (position % 64 == 0) bench.stage->OnTick(bench.now += TraceStage::kLateClientNs);
  }
  state.SetItemsProcessed(3 * state.iterations());
  bench.stage->Shutdown();
}
BENCHMARK(BM_LinkedTree);

}  // namespace
}  // namespace sonde::trace
