// SPDX-License-Identifier: Apache-2.0
// Cost of sampling per span on the drain thread; with metrics the budget is 2 us.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sampler/sampler.h"
#include "sampler/tail_sampler.h"
#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

class Drop final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { benchmark::DoNotOptimize(span); }
};

constexpr uint64_t kTickNs = 10'000'000;
constexpr size_t kSpansPerTick = 300;  // 30,000 spans a second
constexpr size_t kSpansPerTrace = 3;

Span Make() {
  Span span;
  span.name = "GET /api/v1/users/{id}/orders";
  span.start_wall_ns = 1;
  span.end_wall_ns = 5'000'000;
  span.attributes.reserve(20);
  for (const char* key : {"http.request.method", "url.path", "url.scheme", "http.route"}) {
    span.attributes.push_back({key, "/api/v1/users/48213/orders"});
  }
  for (const char* key : {"server.port", "client.port", "http.response.status_code"}) {
    span.attributes.push_back({key, int64_t{200}});
  }
  return span;
}

// What the default example of docs/operating/sampling.md costs; argument: 0 without sampling, 1
// head, 2 tail. Copying the span is part of all three.
void BM_Sampling(benchmark::State& state) {
  Drop drop;
  MetricRegistry metrics;
  using Type = TailPolicyType;
  const auto tail = *TailSampler::Create(
      {.policies = {{.name = "errors", .type = Type::kStatusCode, .status_codes = {"ERROR"}},
                    {.name = "slow", .type = Type::kLatency, .min = 1000},
                    {.name = "route",
                     .type = Type::kStringAttribute,
                     .key = "http.route",
                     .values = {"^/checkout"},
                     .enabled_regex_matching = true},
                    {.name = "rest", .type = Type::kProbabilistic, .sampling_percentage = 10}},
       .decision_wait = Milliseconds(1000)},
      drop, metrics);
  const auto head =
      *Sampler::Create({}, state.range(0) == 2 ? static_cast<SpanSink&>(*tail) : drop, metrics);
  SpanSink& sink = state.range(0) == 0 ? static_cast<SpanSink&>(drop) : *head;
  const Span made = Make();
  IdGenerator ids(1);
  TraceId trace;
  size_t i = 0;
  for (auto _ : state) {
    if (i % kSpansPerTrace == 0) trace = ids.NewTraceId();
    if (i % kSpansPerTick == 0) tail->OnTick(i / kSpansPerTick * kTickNs);
    Span span = made;
    span.trace_id = trace;
    sink.OnSpan(std::move(span));
    ++i;
  }
}
BENCHMARK(BM_Sampling)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace sonde::sampler
