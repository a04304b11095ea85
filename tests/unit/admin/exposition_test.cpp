// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/metric.h"

namespace sonde::admin {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string Text(const MetricRegistry& metrics) {
  return Expose(metrics.Snapshot(), {}, Exposition::kText);
}

TEST(Exposition, CountersAndGaugesWithLabels) {
  MetricRegistry metrics;
  metrics.AddCounter("sonde_events_total", "Events.", {{"type", "data"}}).Add(3);
  metrics.AddCounter("sonde_events_total", "Events.", {{"type", "close"}}).Add(1ULL << 40);
  metrics.AddGauge("sonde_connections", "Connections.").Set(-2);
  EXPECT_EQ(Text(metrics),
            "# HELP sonde_events_total Events.\n"
            "# TYPE sonde_events_total counter\n"
            "sonde_events_total{type=\"data\"} 3\n"
            "sonde_events_total{type=\"close\"} 1099511627776\n"
            "# HELP sonde_connections Connections.\n"
            "# TYPE sonde_connections gauge\n"
            "sonde_connections -2\n");
  EXPECT_EQ(Expose(metrics.Snapshot(), {}, Exposition::kOpenMetrics),
            "# HELP sonde_events Events.\n"
            "# TYPE sonde_events counter\n"
            "sonde_events_total{type=\"data\"} 3\n"
            "sonde_events_total{type=\"close\"} 1099511627776\n"
            "# HELP sonde_connections Connections.\n"
            "# TYPE sonde_connections gauge\n"
            "sonde_connections -2\n"
            "# EOF\n");
}

TEST(Exposition, LabelValuesAndHelpAreEscaped) {
  MetricRegistry metrics;
  metrics.AddCounter("a", "A\\\nb.", {{"l", "x\"y\\z\nw"}}).Add();
  EXPECT_THAT(Text(metrics), HasSubstr("# HELP a A\\\\\\nb.\n"));
  EXPECT_THAT(Text(metrics), HasSubstr("a{l=\"x\\\"y\\\\z\\nw\"} 1\n"));
}

TEST(Exposition, NamesThatPrometheusRefusesAreLeftOut) {
  MetricRegistry metrics;
  metrics.AddCounter("1bad", "B.").Add();
  metrics.AddCounter("has space", "B.").Add();
  metrics.AddCounter("good", "G.", {{"bad-label", "x"}, {"ok", "y"}}).Add();
  EXPECT_EQ(Text(metrics), "# HELP good G.\n# TYPE good counter\ngood{ok=\"y\"} 1\n");
}

TEST(Exposition, CallbacksAreReadAtSnapshot) {
  MetricRegistry metrics;
  double value = 1;
  metrics.AddCallback("c", "C.", MetricType::kGauge,
                      [&] { return std::vector<MetricSample>{{{{"k", "v"}}, value}}; });
  value = 0.5;
  EXPECT_THAT(Text(metrics), HasSubstr("c{k=\"v\"} 0.5\n"));
}

std::vector<ResourceMetrics> Traced() {
  auto resource = std::make_shared<Resource>();
  resource->service_name = "shop";
  resource->attributes = {{"service.name", "shop"}, {"host.name", "h\"1"}};
  MetricData data{
      .name = "http.server.request.duration",
      .unit = "s",
      .description = "Duration.",
      .kind = MetricKind::kHistogram,
      .bounds = std::make_shared<const std::vector<double>>(std::vector<double>{0.5, 1}),
      .points = {}};
  MetricPoint point;
  point.attributes = std::make_shared<const Attributes>(Attributes{
      {"http.response.status_code", int64_t{200}}, {"service.name", "not this"}, {"b", true}});
  point.counts = {1, 2, 3};
  point.count = 6;
  point.sum = 9.25;
  point.exemplars = {{.trace_id = *TraceId::FromHex("0102030405060708090a0b0c0d0e0f10"),
                      .span_id = *SpanId::FromHex("0102030405060708"),
                      .value = 0.75,
                      .wall_ns = 1'700'000'000'000'000'005}};
  data.points = {point};
  return {{.resource = resource, .metrics = {data}}};
}

TEST(Exposition, HistogramsAreCumulativeAndNameTheirService) {
  const std::string labels = "service_name=\"shop\",http_response_status_code=\"200\",b=\"true\"";
  const std::string name = "http_server_request_duration_seconds";
  EXPECT_EQ(Expose({}, Traced(), Exposition::kText),
            "# HELP " + name + " Duration.\n# TYPE " + name + " histogram\n" +  //
                name + "_bucket{" + labels + ",le=\"0.5\"} 1\n" +               //
                name + "_bucket{" + labels + ",le=\"1\"} 3\n" +                 //
                name + "_bucket{" + labels + ",le=\"+Inf\"} 6\n" +              //
                name + "_sum{" + labels + "} 9.25\n" +                          //
                name + "_count{" + labels + "} 6\n" +
                "# HELP target_info What is known of a service.\n"
                "# TYPE target_info gauge\n"
                "target_info{service_name=\"shop\",host_name=\"h\\\"1\"} 1\n");
}

TEST(Exposition, OpenMetricsShowsExemplarsInTheirBucket) {
  const std::string text = Expose({}, Traced(), Exposition::kOpenMetrics);
  EXPECT_THAT(text, HasSubstr("le=\"1.0\"} 3 # {trace_id=\"0102030405060708090a0b0c0d0e0f10\","
                              "span_id=\"0102030405060708\"} 0.75 1700000000.000000005\n"));
  EXPECT_THAT(text, HasSubstr("le=\"0.5\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# UNIT http_server_request_duration_seconds seconds\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE target info\ntarget_info{"));
  EXPECT_THAT(text, EndsWith("# EOF\n"));
  EXPECT_THAT(Expose({}, Traced(), Exposition::kText), Not(HasSubstr("trace_id")));
}

TEST(Exposition, OneFamilyForAllServices) {
  auto traced = Traced();
  auto other = std::make_shared<Resource>();
  other->service_name = "cart";
  traced.push_back({.resource = other, .metrics = traced[0].metrics});
  const std::string text = Expose({}, traced, Exposition::kText);
  EXPECT_EQ(text.find("# TYPE http"), text.rfind("# TYPE http"));
  EXPECT_THAT(text, HasSubstr("_count{service_name=\"cart\""));
}

TEST(Exposition, WhatTheScraperPrefers) {
  EXPECT_EQ(Negotiate(""), Exposition::kText);
  EXPECT_EQ(Negotiate("*/*"), Exposition::kText);
  EXPECT_EQ(Negotiate("text/plain;version=0.0.4"), Exposition::kText);
  EXPECT_EQ(Negotiate("application/openmetrics-text;version=1.0.0;q=0.75,"
                      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Exposition::kOpenMetrics);
  EXPECT_EQ(Negotiate("text/plain;q=0.9, application/openmetrics-text;q=0.1"), Exposition::kText);
  EXPECT_EQ(Negotiate("application/openmetrics-text;q=0"), Exposition::kText);
}

TEST(Exposition, NumbersThatAreNone) {
  MetricRegistry metrics;
  metrics.AddCallback("n", "N.", MetricType::kGauge, [] {
    return std::vector<MetricSample>{{{}, std::numeric_limits<double>::quiet_NaN()},
                                     {{}, std::numeric_limits<double>::infinity()}};
  });
  EXPECT_THAT(Text(metrics), HasSubstr("n NaN\nn +Inf\n"));
}

}  // namespace
}  // namespace sonde::admin
