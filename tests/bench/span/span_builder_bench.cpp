// SPDX-License-Identifier: Apache-2.0
// Cost of building one HTTP span; the budget is 0.8 us.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "span/route_tree.h"
#include "span/span_builder.h"

namespace sonde::span {
namespace {

HttpExchange BrowserRequest(std::string target) {
  HttpExchange http;
  http.request.method = "GET";
  http.request.target = std::move(target);
  http.request.version = http.response.version = "1.1";
  http.request.headers = {
      {"host", "shop.example:8080"},
      {"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"},
      {"accept", "text/html,application/xhtml+xml"},
      {"accept-language", "en-US,en;q=0.5"},
      {"accept-encoding", "gzip, deflate"},
      {"connection", "keep-alive"},
      {"cookie", "session=abc"},
      {"cache-control", "no-cache"}};
  http.response.status = 200;
  http.response.headers = {{"content-type", "text/html"}, {"content-length", "1234"}};
  http.response.has_body_bytes = true;
  http.response.body_bytes = 1234;
  return http;
}

void Run(benchmark::State& state, Role role, std::string target) {
  MetricRegistry metrics;
  const auto builder = SpanBuilder::Create({}, {}, {}, metrics).value();
  ConnectionInfo connection;
  connection.local = {.family = 4, .port = 8080, .address = {127, 0, 0, 1}, .path = {}};
  connection.remote = {.family = 4, .port = 51'000, .address = {127, 0, 0, 1}, .path = {}};
  Exchange exchange;
  exchange.protocol = "http1";
  exchange.role = role;
  exchange.connection = &connection;
  exchange.request.seen = exchange.response.seen = true;
  exchange.detail = BrowserRequest(std::move(target));
  const Resource resource{.attributes = {}, .service_name = "shop"};
  const WallClock clock(0);
  for (auto _ : state) {
    Span span = builder->Build(exchange, resource, clock);
    benchmark::DoNotOptimize(span);
  }
}

void BM_Server(benchmark::State& state) { Run(state, Role::kServer, "/"); }
void BM_ServerRouteAndQuery(benchmark::State& state) {
  Run(state, Role::kServer, "/api/v1/users/48213/orders?page=2&token=abcdef");
}
void BM_Client(benchmark::State& state) {
  Run(state, Role::kClient, "/api/v1/users/48213/orders?page=2");
}
BENCHMARK(BM_Server);
BENCHMARK(BM_ServerRouteAndQuery);
BENCHMARK(BM_Client);

void BM_Route(benchmark::State& state) {
  RouteTree tree(200);
  std::vector<std::string> paths;
  for (int i = 0; i < 64; ++i)
    paths.push_back("/api/v1/users/" + std::to_string(1000 + i) + "/orders");
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(tree.Find(paths[i++ % paths.size()], true).route);
}
BENCHMARK(BM_Route);

}  // namespace
}  // namespace sonde::span
