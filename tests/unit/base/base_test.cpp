// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sonde/base/clock.h"
#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"

namespace sonde {
namespace {

TEST(IdsTest, HexRoundTrip) {
  const auto id = TraceId::FromHex("4bf92f3577b34da6a3ce929d0e0e4736");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->ToHex(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_FALSE(TraceId::FromHex("4BF92F3577B34DA6A3CE929D0E0E4736").has_value());
  EXPECT_FALSE(TraceId::FromHex("4bf9").has_value());
  EXPECT_FALSE(SpanId::FromHex("00f067aa0ba902bg").has_value());
  EXPECT_FALSE(SpanId::FromHex("0000000000000000")->valid());
}

TEST(IdsTest, GeneratorGivesDistinctValidIdsAndRepeatsWithASeed) {
  IdGenerator random;
  IdGenerator a(7);
  IdGenerator b(7);
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(seen.insert(random.NewTraceId().ToHex()).second);
    EXPECT_EQ(a.NewSpanId(), b.NewSpanId());
  }
}

TEST(ClockTest, ConvertsToWallTime) {
  const WallClock clock;
  const uint64_t wall = WallNow();
  const uint64_t converted = clock.ToWall(MonotonicNow());
  EXPECT_NEAR(static_cast<double>(converted), static_cast<double>(wall), 1e9);
  EXPECT_EQ(WallClock(5).ToWall(10), 15U);
}

TEST(MetricsTest, SameNameAndLabelsIsTheSameCounter) {
  MetricRegistry registry;
  Counter& a = registry.AddCounter("sonde_x_total", "x", {{"reason", "a"}});
  Counter& b = registry.AddCounter("sonde_x_total", "x", {{"reason", "b"}});
  EXPECT_EQ(&a, &registry.AddCounter("sonde_x_total", "x", {{"reason", "a"}}));
  a.Add();
  b.Add(2);
  registry.AddCallback("sonde_y", "y", MetricType::kGauge,
                       [] { return std::vector<MetricSample>{{.labels = {}, .value = 3}}; });
  const auto families = registry.Snapshot();
  ASSERT_EQ(families.size(), 2U);
  ASSERT_EQ(families[0].samples.size(), 2U);
  EXPECT_EQ(families[0].samples[1].value, 2);
  EXPECT_EQ(families[1].samples[0].value, 3);
}

TEST(EndpointTest, Text) {
  Endpoint v4{.family = 4, .port = 80, .address = {127, 0, 0, 1}, .path = {}};
  EXPECT_EQ(v4.AddressText(), "127.0.0.1");
  Endpoint v6{.family = 6, .port = 80, .address = {}, .path = {}};
  v6.address[15] = 1;
  EXPECT_EQ(v6.AddressText(), "::1");
  Endpoint local{.family = 1, .port = 0, .address = {}, .path = "/run/x.sock"};
  EXPECT_EQ(local.AddressText(), "/run/x.sock");
  EXPECT_EQ(Endpoint{}.AddressText(), "");
}

}  // namespace
}  // namespace sonde
