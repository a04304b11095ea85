// SPDX-License-Identifier: Apache-2.0
#include "metrics/red_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "metrics/service_graph.h"
#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

class Collect final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

std::shared_ptr<const Resource> Service(const std::string& name, int64_t pid = 1) {
  auto resource = std::make_shared<Resource>();
  resource->service_name = name;
  resource->attributes = {{"service.name", name}, {"process.pid", pid}, {"host.name", "h"}};
  return resource;
}

Span Server(const std::shared_ptr<const Resource>& of, uint64_t duration_ns,
            const std::string& route = "/a", int64_t status = 200) {
  Span span;
  span.resource = of;
  span.kind = SpanKind::kServer;
  span.status = status >= 500 ? SpanStatus::kError : SpanStatus::kUnset;
  span.name = "GET " + route;
  span.start_wall_ns = kSecond;
  span.end_wall_ns = kSecond + duration_ns;
  span.attributes = {{"http.request.method", "GET"},
                     {"url.path", "/secret"},
                     {"url.scheme", "http"},
                     {"http.route", route},
                     {"server.address", "chosen by the caller"},
                     {"http.response.status_code", status},
                     {"network.protocol.version", "1.1"},
                     {"http.response.body.size", int64_t{100}}};
  if (status >= 500) {
    Attribute& error = span.attributes.emplace_back();  // gcc 12 warns of a temporary
    error.key = "error.type";
    error.value = std::to_string(status);
  }
  return span;
}

Span Client(const std::shared_ptr<const Resource>& of, const std::string& host) {
  Span span;
  span.resource = of;
  span.kind = SpanKind::kClient;
  span.name = "GET";
  span.end_wall_ns = 20 * kMs;
  span.attributes = {{"http.request.method", "GET"},
                     {"server.address", host},
                     {"server.port", int64_t{80}},
                     {"http.response.status_code", int64_t{200}}};
  return span;
}

struct Bench {
  explicit Bench(const MetricsOptions& options = {}) : red(options, sink, metrics) {}
  // Points of a metric over all services.
  std::vector<MetricPoint> Points(const std::string& name) const {
    std::vector<MetricPoint> points;
    for (const ResourceMetrics& of : red.source().Collect()) {
      for (const MetricData& data : of.metrics) {
        if (data.name != name) continue;
        points.insert(points.end(), data.points.begin(), data.points.end());
      }
    }
    return points;
  }
  std::map<std::string, double> Edges(const std::string& name) const {
    std::map<std::string, double> edges;
    for (const MetricPoint& point : Points(name)) {
      std::string edge;
      for (const Attribute& a : *point.attributes) edge += std::get<std::string>(a.value) + "|";
      edges[edge] = point.counts.empty() ? point.value : static_cast<double>(point.count);
    }
    return edges;
  }
  Collect sink;
  MetricRegistry metrics;
  RedStage red;
};

std::map<std::string, AttributeValue> Map(const MetricPoint& point) {
  std::map<std::string, AttributeValue> map;
  for (const Attribute& a : *point.attributes) map.emplace(a.key, a.value);
  return map;
}

TEST(RedStage, SpansPassUnchangedAndAreCounted) {
  Bench bench;
  const auto shop = Service("shop");
  bench.red.OnSpan(Server(shop, 7 * kMs));
  bench.red.OnSpan(Server(shop, 3 * kMs));
  ASSERT_THAT(bench.sink.spans, SizeIs(2));
  EXPECT_THAT(bench.sink.spans[0].attributes, SizeIs(8));
  const auto calls = bench.Points("traces.span.metrics.calls");
  ASSERT_THAT(calls, SizeIs(1));
  EXPECT_EQ(calls[0].value, 2);
  EXPECT_EQ(Map(calls[0]),
            (std::map<std::string, AttributeValue>{{"service.name", "shop"},
                                                   {"span.name", "GET /a"},
                                                   {"span.kind", "SPAN_KIND_SERVER"},
                                                   {"status.code", "STATUS_CODE_UNSET"}}));
  const auto durations = bench.Points("traces.span.metrics.duration");
  ASSERT_THAT(durations, SizeIs(1));
  EXPECT_EQ(durations[0].sum, 10);        // milliseconds
  EXPECT_EQ(durations[0].counts[1], 1U);  // (2, 4]
  EXPECT_EQ(durations[0].counts[3], 1U);  // (6, 8]
  EXPECT_EQ(durations[0].min, 3);
  EXPECT_EQ(durations[0].max, 7);
}

TEST(RedStage, ConventionalMetricsHaveTheConventionsAttributes) {
  Bench bench;
  bench.red.OnSpan(Server(Service("shop"), 30 * kMs, "/a", 503));
  const auto server = bench.Points("http.server.request.duration");
  ASSERT_THAT(server, SizeIs(1));
  EXPECT_EQ(Map(server[0]),
            (std::map<std::string, AttributeValue>{{"error.type", "503"},
                                                   {"http.request.method", "GET"},
                                                   {"http.response.status_code", int64_t{503}},
                                                   {"http.route", "/a"},
                                                   {"network.protocol.version", "1.1"},
                                                   {"url.scheme", "http"}}));
  EXPECT_DOUBLE_EQ(server[0].sum, 0.03);
  EXPECT_EQ(server[0].counts[3], 1U);  // (0.025, 0.05]
  const auto body = bench.Points("http.server.response.body.size");
  ASSERT_THAT(body, SizeIs(1));
  EXPECT_EQ(body[0].sum, 100);
  EXPECT_THAT(bench.Points("http.server.request.body.size"), IsEmpty());

  bench.red.OnSpan(Client(Service("shop"), "db.example"));
  const auto client = bench.Points("http.client.request.duration");
  ASSERT_THAT(client, SizeIs(1));
  EXPECT_EQ(Map(client[0]).at("server.address"), AttributeValue("db.example"));
  EXPECT_EQ(Map(client[0]).at("server.port"), AttributeValue(int64_t{80}));
}

TEST(RedStage, CallsOfRpcAreNotHttpRequests) {
  Bench bench;
  Span span = Server(Service("shop"), kMs);
  span.attributes = {{"rpc.system.name", "grpc"},
                     {"rpc.method", "shop.Cart/Add"},
                     {"rpc.response.status_code", "OK"}};
  bench.red.OnSpan(std::move(span));
  EXPECT_THAT(bench.Points("rpc.server.call.duration"), SizeIs(1));
  EXPECT_THAT(bench.Points("http.server.request.duration"), IsEmpty());
}

TEST(RedStage, ProcessesOfAServiceShareSeriesAndResource) {
  Bench bench;
  bench.red.OnSpan(Server(Service("shop", 1), kMs));
  bench.red.OnSpan(Server(Service("shop", 2), kMs));
  bench.red.OnSpan(Server(Service("cart", 3), kMs));
  bench.red.Shutdown();
  std::map<std::string, uint64_t> counts;
  for (const ResourceMetrics& of : bench.red.source().Collect()) {
    if (of.resource == nullptr) continue;
    EXPECT_EQ(FindAttribute(of.resource->attributes, "process.pid"), nullptr);
    EXPECT_NE(FindAttribute(of.resource->attributes, "host.name"), nullptr);
    for (const MetricData& data : of.metrics) {
      if (data.name != "http.server.request.duration") continue;
      ASSERT_THAT(data.points, SizeIs(1));
      counts[of.resource->service_name] = data.points[0].count;
    }
  }
  EXPECT_EQ(counts, (std::map<std::string, uint64_t>{{"cart", 1}, {"shop", 2}}));
}

// Keys that a process made up live as long as its resource does.
TEST(RedStage, AServiceOutlivesTheResourceItWasSeenIn) {
  Bench bench({.expiration = std::chrono::hours(1)});
  const auto count = [&] {
    size_t found = 0;
    for (const ResourceMetrics& of : bench.red.source().Collect()) {
      if (of.resource == nullptr) continue;
      for (const Attribute& a : of.resource->attributes) found += a.key == "team.of.the.service";
    }
    return found;
  };
  struct Owner : Resource {
    std::string key = "team.of.the.service";
  };
  {
    auto owner = std::make_shared<Owner>();
    owner->service_name = "shop";
    owner->attributes = {{"service.name", std::string("shop")}, {owner->key, std::string("a")}};
    bench.red.OnSpan(Server(owner, kMs));
  }
  bench.red.OnSpan(Server(Service("gone"), kMs));
  EXPECT_EQ(count(), 1U);
  // Something expires, so that all resources that are remembered are let go.
  Span span = bench.sink.spans[0];
  span.end_mono_ns = 3000 * kSecond;
  bench.red.OnSpan(std::move(span));
  span = {};
  bench.sink.spans.clear();
  bench.red.OnTick(4000 * kSecond);
  EXPECT_EQ(count(), 1U);
}

// Requests in and out, as the connection stage tells of them.
class Silent final : public ExchangeSink {
 public:
  void OnRequestStart(const RequestStart&) override { ++calls; }
  void OnResponseStart(ExchangeId, const MessageSpan&) override { ++calls; }
  void OnExchange(const Exchange&) override { ++calls; }
  int calls = 0;
};

TEST(ActiveRequests, CountFromStartToEnd) {
  Bench bench;
  Silent next;
  const auto shop = Service("shop");
  ExchangeSink* sink = bench.red.CountActive(next, [&](uint32_t) { return shop; });
  ASSERT_NE(sink, nullptr);
  const ConnectionInfo plain;
  ConnectionInfo text;
  text.plain_text = true;
  HttpRequest get;
  get.method = "GET";
  HttpRequest odd;
  odd.method = "BREW";
  HttpRequest grpc;
  grpc.method = "POST";
  grpc.headers = {{"content-type", "application/grpc+proto"}};
  const auto start = [&](ExchangeId id, const HttpRequest* http, const ConnectionInfo& connection,
                         Role role = Role::kServer) {
    RequestStart said;
    said.id = id;
    said.role = role;
    said.connection = &connection;
    said.http = http;
    sink->OnRequestStart(said);
  };
  start(1, &get, plain);
  start(2, &get, plain);
  start(3, &odd, text);
  start(4, &grpc, plain);
  start(5, &get, plain, Role::kClient);
  start(6, nullptr, plain);
  const auto active = [&] { return bench.Edges("http.server.active_requests"); };
  EXPECT_EQ(active(), (std::map<std::string, double>{{"GET|http|", 2}, {"_OTHER|https|", 1}}));
  // What is open does not expire, however long it takes.
  bench.red.OnTick(100'000 * kSecond);
  EXPECT_EQ(active().size(), 2U);
  sink->OnResponseStart(1, {});
  for (const ExchangeId id : {1, 3, 4, 5, 6, 7}) {
    Exchange exchange;
    exchange.id = id;
    sink->OnExchange(exchange);
  }
  EXPECT_EQ(active(), (std::map<std::string, double>{{"GET|http|", 1}, {"_OTHER|https|", 0}}));
  EXPECT_EQ(next.calls, 6 + 1 + 6) << "all of it is passed on";
}

TEST(RedStage, BeyondTheLimitOneOverflowSeriesTakesAll) {
  Bench bench({.cardinality_limit = 3});
  const auto shop = Service("shop");
  for (int i = 0; i < 10; ++i) bench.red.OnSpan(Server(shop, kMs, "/" + std::to_string(i)));
  const auto points = bench.Points("http.server.request.duration");
  ASSERT_THAT(points, SizeIs(4));
  uint64_t all = 0;
  uint64_t overflow = 0;
  for (const MetricPoint& point : points) {
    all += point.count;
    if (Map(point).contains("otel.metric.overflow")) overflow = point.count;
  }
  EXPECT_EQ(all, 10U);
  EXPECT_EQ(overflow, 7U);
  EXPECT_GT(bench.metrics.AddCounter("sonde_metric_overflows_total", "").value(), 0U);
}

TEST(RedStage, DimensionsComeFromSpanOrResource) {
  Bench bench({.dimensions = {"host.name", "http.route", "absent", "server.address"}});
  bench.red.OnSpan(Server(Service("shop"), kMs));
  const auto points = bench.Points("traces.span.metrics.calls");
  ASSERT_THAT(points, SizeIs(1));
  const auto map = Map(points[0]);
  EXPECT_EQ(map.at("host.name"), AttributeValue("h"));
  EXPECT_EQ(map.at("http.route"), AttributeValue("/a"));
  EXPECT_EQ(map.at("server.address"), AttributeValue("chosen by the caller"));
  EXPECT_FALSE(map.contains("absent"));
}

TEST(RedStage, OlderNames) {
  Bench older({.names = SpanMetricNames::kSpanmetrics, .span_seconds = true});
  older.red.OnSpan(Server(Service("shop"), 500 * kMs));
  ASSERT_THAT(older.Points("traces.spanmetrics.duration"), SizeIs(1));
  EXPECT_DOUBLE_EQ(older.Points("traces.spanmetrics.duration")[0].sum, 0.5);
  Bench tempo({.names = SpanMetricNames::kTempo});
  tempo.red.OnSpan(Server(Service("shop"), 500 * kMs));
  const auto latency = tempo.Points("traces.spanmetrics.latency");
  ASSERT_THAT(latency, SizeIs(1));
  EXPECT_DOUBLE_EQ(latency[0].sum, 0.5);
  EXPECT_TRUE(Map(latency[0]).contains("service"));
}

TEST(RedStage, ExemplarsAreOfKeptTracesOnly) {
  Bench bench;
  const auto shop = Service("shop");
  IdGenerator ids(1);
  for (int i = 0; i < 4; ++i) {
    Span span = Server(shop, 7 * kMs);
    span.trace_id = ids.NewTraceId();
    span.span_id = ids.NewSpanId();
    bench.red.OnSpan(std::move(span));
  }
  EXPECT_THAT(bench.Points("http.server.request.duration")[0].exemplars, IsEmpty());
  const Span& kept = bench.sink.spans[2];
  bench.red.OnKept(kept);
  const auto exemplars = bench.Points("http.server.request.duration")[0].exemplars;
  ASSERT_THAT(exemplars, SizeIs(1));
  EXPECT_EQ(exemplars[0].trace_id, kept.trace_id);
  EXPECT_DOUBLE_EQ(exemplars[0].value, 0.007);
  const auto spans = bench.Points("traces.span.metrics.duration")[0].exemplars;
  ASSERT_THAT(spans, SizeIs(1));
  EXPECT_DOUBLE_EQ(spans[0].value, 7);
}

TEST(RedStage, SeriesOfEndedServicesExpire) {
  Bench bench({.expiration = std::chrono::minutes(10)});
  bench.red.OnTick(kSecond);
  bench.red.OnSpan(Server(Service("gone"), kMs));
  const Span late = bench.sink.spans[0];
  bench.red.OnTick(500 * kSecond);
  bench.red.OnSpan(Server(Service("stays"), kMs));
  bench.red.OnTick(700 * kSecond);
  EXPECT_EQ(bench.Edges("traces_service_graph_request_total"),
            (std::map<std::string, double>{{"user|virtual_node|stays|", 1}}));
  EXPECT_THAT(bench.Points("http.server.request.duration"), SizeIs(1));
  bench.red.OnKept(late);  // nothing is left of its class
  bench.red.OnSpan(Server(Service("gone"), kMs));
  EXPECT_THAT(bench.Points("http.server.request.duration"), SizeIs(2));
}

// A span may come before the first tick, on a machine that has run for long.
TEST(RedStage, WhatCameBeforeTheFirstTickStays) {
  Bench bench;
  constexpr uint64_t kUp = 100'000 * kSecond;
  Span span = Server(Service("shop"), kMs);
  span.end_mono_ns = kUp;
  bench.red.OnSpan(std::move(span));
  bench.red.OnTick(kUp + kMs);
  EXPECT_THAT(bench.Points("http.server.request.duration"), SizeIs(1));
}

// What the metrics say must be what anybody would compute from the spans.
TEST(RedStage, EqualsWhatAllSpansSay) {
  Bench bench({.exponential = true});
  std::mt19937_64 random(11);
  std::map<std::string, std::pair<uint64_t, double>> wanted;
  const std::vector<std::shared_ptr<const Resource>> services{Service("a"), Service("b"),
                                                              Service("a", 2)};
  for (int i = 0; i < 20'000; ++i) {
    const auto& of = services[random() % services.size()];
    const std::string route = "/" + std::to_string(random() % 7);
    const int64_t status = random() % 5 == 0 ? 500 : 200;
    const uint64_t duration = random() % (3 * kSecond);
    auto& [count, sum] = wanted[of->service_name + "GET " + route + (status == 500 ? "E" : "U")];
    ++count;
    sum += static_cast<double>(duration) / 1e6;
    bench.red.OnSpan(Server(of, duration, route, status));
  }
  std::map<std::string, std::pair<uint64_t, double>> found;
  for (const MetricPoint& point : bench.Points("traces.span.metrics.duration")) {
    const auto map = Map(point);
    const bool error = map.at("status.code") == AttributeValue("STATUS_CODE_ERROR");
    uint64_t buckets = 0;
    for (const uint64_t count : point.counts) buckets += count;
    EXPECT_EQ(buckets, point.count);
    uint64_t exponential = point.exponential->zero_count;
    for (const uint64_t count : point.exponential->counts) exponential += count;
    EXPECT_EQ(exponential, point.count);
    found[std::get<std::string>(map.at("service.name")) +
          std::get<std::string>(map.at("span.name")) + (error ? "E" : "U")] = {point.count,
                                                                               point.sum};
  }
  EXPECT_EQ(found, wanted);
}

TEST(ServiceGraph, BothEndsAreOneEdgeInWhateverOrder) {
  Bench bench;
  IdGenerator ids(1);
  for (int i = 0; i < 6; ++i) {
    Span client = Client(Service("front"), "orders.example");
    client.span_id = ids.NewSpanId();
    Span server = Server(Service("orders"), 10 * kMs, "/a", i == 0 ? 500 : 200);
    server.parent_span_id = client.span_id;
    Span& first = i % 2 == 0 ? client : server;
    Span& second = i % 2 == 0 ? server : client;
    bench.red.OnSpan(std::move(first));
    bench.red.OnSpan(std::move(second));
  }
  bench.red.Shutdown();
  const std::string edge = "front||orders|";
  EXPECT_EQ(bench.Edges("traces_service_graph_request_total"),
            (std::map<std::string, double>{{edge, 6}}));
  EXPECT_EQ(bench.Edges("traces_service_graph_request_failed_total"),
            (std::map<std::string, double>{{edge, 1}}));
  const auto server = bench.Points("traces_service_graph_request_server_seconds");
  const auto client = bench.Points("traces_service_graph_request_client_seconds");
  ASSERT_THAT(server, SizeIs(1));
  ASSERT_THAT(client, SizeIs(1));
  EXPECT_DOUBLE_EQ(server[0].sum, 0.06);
  EXPECT_DOUBLE_EQ(client[0].sum, 0.12);
}

TEST(ServiceGraph, PeersThatAreNotTracedAreVirtual) {
  Bench bench;
  IdGenerator ids(1);
  bench.red.OnTick(kSecond);
  bench.red.OnSpan(Server(Service("front"), kMs));  // began the trace: a user
  Span remote = Server(Service("front"), kMs);
  remote.parent_span_id = ids.NewSpanId();
  remote.parent_is_remote = true;
  bench.red.OnSpan(std::move(remote));
  Span call = Client(Service("front"), "pay.example");
  call.span_id = ids.NewSpanId();
  bench.red.OnSpan(std::move(call));
  Span query = Client(Service("front"), "10.0.0.7");
  query.span_id = ids.NewSpanId();
  query.attributes.push_back({"db.system.name", "postgresql"});
  bench.red.OnSpan(std::move(query));
  EXPECT_THAT(bench.Edges("traces_service_graph_request_total"), SizeIs(2));
  bench.red.OnTick(kSecond + ServiceGraph::kWaitNs);
  EXPECT_EQ(bench.Edges("traces_service_graph_request_total"),
            (std::map<std::string, double>{{"user|virtual_node|front|", 1},
                                           {"unknown|virtual_node|front|", 1},
                                           {"front|virtual_node|pay.example|", 1},
                                           {"front|database|postgresql|", 1}}));
}

TEST(ServiceGraph, MemoryIsBoundedAndNothingIsLost) {
  Bench bench;
  IdGenerator ids(1);
  const auto front = Service("front");
  constexpr size_t kMany = ServiceGraph::kMaxWaiting + 1000;
  for (size_t i = 0; i < kMany; ++i) {
    Span call = Client(front, "pay.example");
    call.span_id = ids.NewSpanId();
    bench.red.OnSpan(std::move(call));
  }
  const std::string edge = "front|virtual_node|pay.example|";
  EXPECT_EQ(bench.Edges("traces_service_graph_request_total").at(edge), 1000);
  bench.red.Shutdown();
  EXPECT_EQ(bench.Edges("traces_service_graph_request_total").at(edge), static_cast<double>(kMany));
}

}  // namespace
}  // namespace sonde::metrics
