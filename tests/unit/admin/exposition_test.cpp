// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sonde/base/metrics.h"

namespace sonde::admin {
namespace {

using testing::HasSubstr;

TEST(Exposition, CountersAndGaugesWithLabels) {
  MetricRegistry metrics;
  metrics.AddCounter("sonde_events_total", "Events.", {{"type", "data"}}).Add(3);
  metrics.AddCounter("sonde_events_total", "Events.", {{"type", "close"}}).Add(1ULL << 40);
  metrics.AddGauge("sonde_connections", "Connections.").Set(-2);
  EXPECT_EQ(PrometheusText(metrics.Snapshot()),
            "# HELP sonde_events_total Events.\n"
            "# TYPE sonde_events_total counter\n"
            "sonde_events_total{type=\"data\"} 3\n"
            "sonde_events_total{type=\"close\"} 1099511627776\n"
            "# HELP sonde_connections Connections.\n"
            "# TYPE sonde_connections gauge\n"
            "sonde_connections -2\n");
}

TEST(Exposition, LabelValuesAreEscaped) {
  MetricRegistry metrics;
  metrics.AddCounter("a", "A.", {{"l", "x\"y\\z\nw"}}).Add();
  EXPECT_THAT(PrometheusText(metrics.Snapshot()), HasSubstr("a{l=\"x\\\"y\\\\z\\nw\"} 1\n"));
}

TEST(Exposition, NamesThatPrometheusRefusesAreLeftOut) {
  MetricRegistry metrics;
  metrics.AddCounter("1bad", "B.").Add();
  metrics.AddCounter("has space", "B.").Add();
  metrics.AddCounter("good", "G.", {{"bad-label", "x"}, {"ok", "y"}}).Add();
  EXPECT_EQ(PrometheusText(metrics.Snapshot()),
            "# HELP good G.\n# TYPE good counter\ngood{ok=\"y\"} 1\n");
}

TEST(Exposition, CallbacksAreReadAtSnapshot) {
  MetricRegistry metrics;
  double value = 1;
  metrics.AddCallback("c", "C.", MetricType::kGauge,
                      [&] { return std::vector<MetricSample>{{{{"k", "v"}}, value}}; });
  value = 0.5;
  EXPECT_THAT(PrometheusText(metrics.Snapshot()), HasSubstr("c{k=\"v\"} 0.5\n"));
}

}  // namespace
}  // namespace sonde::admin
