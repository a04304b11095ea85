// SPDX-License-Identifier: Apache-2.0
// A scrape of ten thousand series; the budget is 100 ms.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "admin/exposition.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::admin {
namespace {

std::vector<ResourceMetrics> Histograms(int count) {
  auto resource = std::make_shared<Resource>();
  resource->service_name = "shop";
  resource->attributes = {{"service.name", "shop"}, {"host.name", "host"}};
  MetricData data{.name = "http.server.request.duration",
                  .unit = "s",
                  .description = "Duration of HTTP server requests.",
                  .kind = MetricKind::kHistogram,
                  .bounds = std::make_shared<const std::vector<double>>(std::vector<double>{
                      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}),
                  .points = {}};
  for (int i = 0; i < count; ++i) {
    MetricPoint& point = data.points.emplace_back();
    point.attributes = std::make_shared<const Attributes>(
        Attributes{{"http.request.method", "GET"},
                   {"http.response.status_code", int64_t{200}},
                   {"http.route", "/api/v1/users/{id}/orders" + std::to_string(i)},
                   {"network.protocol.version", "1.1"},
                   {"url.scheme", "http"}});
    point.counts.assign(15, static_cast<uint64_t>(i) * 17);
    point.count = static_cast<uint64_t>(i) * 17 * 15;
    point.sum = i * 0.0371;
  }
  return {{.resource = resource, .metrics = {data}}};
}

// Argument: histograms. One has 17 lines, so 589 of them are ten thousand series as Prometheus
// counts.
void BM_Scrape(benchmark::State& state) {
  const auto traced = Histograms(static_cast<int>(state.range(0)));
  const auto format = state.range(1) != 0 ? Exposition::kOpenMetrics : Exposition::kText;
  size_t bytes = 0;
  for (auto _ : state) bytes = Expose({}, traced, format).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Scrape)
    ->Args({589, 0})
    ->Args({10'000, 0})
    ->Args({10'000, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sonde::admin
