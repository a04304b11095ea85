// SPDX-License-Identifier: Apache-2.0
// Cost of metrics per span on the drain thread; with tail sampling the budget is 2 us.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/red_stage.h"
#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

class Drop final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { benchmark::DoNotOptimize(span); }
};

// A front and what it calls, as the span stage makes them.
std::vector<Span> Spans(size_t routes) {
  auto resource = std::make_shared<Resource>();
  resource->service_name = "shop";
  resource->attributes = {{"service.name", "shop"}, {"host.name", "host"}};
  IdGenerator ids(1);
  std::vector<Span> spans;
  for (size_t i = 0; i < routes; ++i) {
    for (const SpanKind kind : {SpanKind::kClient, SpanKind::kServer}) {
      Span span;
      span.kind = kind;
      span.resource = resource;
      span.name = "GET /api/v1/users/{id}/orders" + std::to_string(i);
      span.trace_id = ids.NewTraceId();
      span.span_id = ids.NewSpanId();
      if (kind == SpanKind::kServer) span.parent_span_id = spans.back().span_id;
      span.start_wall_ns = 1;
      span.end_wall_ns = 1 + (i * 1'000'003);
      span.attributes = {{"http.request.method", "GET"},
                         {"url.path", "/api/v1/users/48213/orders"},
                         {"url.scheme", "http"},
                         {"url.query", "page=2"},
                         {"http.route", "/api/v1/users/{id}/orders" + std::to_string(i)},
                         {"server.address", "shop.example"},
                         {"server.port", int64_t{8080}},
                         {"client.address", "127.0.0.1"},
                         {"client.port", int64_t{51000}},
                         {"user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:125.0)"},
                         {"http.response.status_code", int64_t{200}},
                         {"network.protocol.version", "1.1"},
                         {"http.response.body.size", int64_t{1234}},
                         {"sonde.capture.source", "socket"},
                         {"network.peer.address", "127.0.0.1"},
                         {"network.peer.port", int64_t{51000}},
                         {"network.local.address", "127.0.0.1"},
                         {"network.local.port", int64_t{8080}}};
      spans.push_back(std::move(span));
    }
  }
  return spans;
}

// The same without metrics: what the harness itself costs.
void BM_Baseline(benchmark::State& state) {
  Drop drop;
  const auto spans = Spans(32);
  size_t i = 0;
  for (auto _ : state) drop.OnSpan(Span(spans[i++ % spans.size()]));
}
BENCHMARK(BM_Baseline);

void BM_Red(benchmark::State& state) {
  MetricRegistry metrics;
  Drop drop;
  MetricsOptions options;
  options.exponential = state.range(1) != 0;
  RedStage red(options, drop, metrics);
  const auto spans = Spans(static_cast<size_t>(state.range(0)));
  size_t i = 0;
  for (auto _ : state) red.OnSpan(Span(spans[i++ % spans.size()]));
}
BENCHMARK(BM_Red)->Args({32, 0})->Args({500, 0})->Args({32, 1});

void BM_RedAndKept(benchmark::State& state) {
  MetricRegistry metrics;
  Drop drop;
  KeptStage kept(drop);
  RedStage red(MetricsOptions{}, kept, metrics);
  kept.SetRed(&red);
  const auto spans = Spans(32);
  size_t i = 0;
  for (auto _ : state) red.OnSpan(Span(spans[i++ % spans.size()]));
}
BENCHMARK(BM_RedAndKept);

}  // namespace
}  // namespace sonde::metrics
