// SPDX-License-Identifier: Apache-2.0
#include "sampler/sampler.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"

namespace sonde::sampler {
namespace {

class Collect final : public SpanSink {
 public:
  void OnSpan(Span span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

struct Bench {
  explicit Bench(SamplerOptions options) { sampler = *Sampler::Create(options, sink, metrics); }
  bool Keeps(Span span) {
    const size_t before = sink.spans.size();
    sampler->OnSpan(std::move(span));
    return sink.spans.size() > before;
  }
  uint64_t dropped() {
    return metrics.AddCounter("sonde_spans_dropped_total", "", {{"reason", "sampled_out"}}).value();
  }
  Collect sink;
  MetricRegistry metrics;
  std::unique_ptr<Sampler> sampler;
};

Span WithTrace(const std::string& hex, uint8_t flags = 1) {
  Span span;
  span.trace_id = *TraceId::FromHex(hex);
  span.trace_flags = flags;
  return span;
}

constexpr char kLow[] = "ffffffffffffffffff00000000000001";
constexpr char kMiddle[] = "00000000000000000080000000000000";
constexpr char kBelowMiddle[] = "ffffffffffffffffff7fffffffffffff";
constexpr char kHigh[] = "000000000000000000ffffffffffffff";

TEST(SamplerTest, AlwaysOnAndOff) {
  Bench on({.root = "always_on"});
  EXPECT_TRUE(on.Keeps(WithTrace(kLow)));
  EXPECT_EQ(on.dropped(), 0U);
  Bench off({.root = "always_off"});
  EXPECT_FALSE(off.Keeps(WithTrace(kHigh)));
  EXPECT_EQ(off.dropped(), 1U);
}

TEST(SamplerTest, RatioComparesTheLow56BitsWithTheThreshold) {
  Bench half({.root = "trace_id_ratio_based", .ratio = 0.5});
  EXPECT_FALSE(half.Keeps(WithTrace(kLow)));
  EXPECT_FALSE(half.Keeps(WithTrace(kBelowMiddle)));
  EXPECT_TRUE(half.Keeps(WithTrace(kMiddle)));
  EXPECT_TRUE(half.Keeps(WithTrace(kHigh)));
  Bench all({.root = "trace_id_ratio_based", .ratio = 1});
  EXPECT_TRUE(all.Keeps(WithTrace(kLow)));
  Bench none({.root = "trace_id_ratio_based", .ratio = 0});
  EXPECT_FALSE(none.Keeps(WithTrace(kHigh)));
}

TEST(SamplerTest, RatioKeepsThatShareAndALargerRatioKeepsASuperset) {
  Bench tenth({.root = "trace_id_ratio_based", .ratio = 0.1});
  Bench third({.root = "trace_id_ratio_based", .ratio = 0.3});
  IdGenerator ids(1);
  int kept = 0;
  for (int i = 0; i < 20'000; ++i) {
    Span span;
    span.trace_id = ids.NewTraceId();
    const bool in_tenth = tenth.Keeps(span);
    kept += in_tenth ? 1 : 0;
    const bool in_third = third.Keeps(span);
    EXPECT_TRUE(in_third || !in_tenth);
  }
  EXPECT_NEAR(kept, 2000, 200);
}

TEST(SamplerTest, ParentBasedFollowsTheHeaderInBothDirections) {
  Span unsampled = WithTrace(kHigh, 0);
  unsampled.parent_is_remote = unsampled.trace_from_header = true;
  Span sampled = WithTrace(kLow, 1);
  sampled.parent_is_remote = sampled.trace_from_header = true;
  Span undecided = WithTrace(kLow, 1);  // the header left it to the receiver
  undecided.parent_is_remote = true;
  Span child = WithTrace(kLow, 1);
  child.trace_from_header = true;

  Bench parent({.root = "trace_id_ratio_based", .ratio = 0.5, .parent_based = true});
  EXPECT_FALSE(parent.Keeps(unsampled));
  EXPECT_TRUE(parent.Keeps(sampled));
  EXPECT_TRUE(parent.Keeps(child));
  EXPECT_FALSE(parent.Keeps(undecided));
  EXPECT_FALSE(parent.Keeps(WithTrace(kLow)));  // a root of this host

  Bench plain({.root = "trace_id_ratio_based", .ratio = 0.5, .parent_based = false});
  EXPECT_TRUE(plain.Keeps(unsampled));
  EXPECT_FALSE(plain.Keeps(sampled));
}

TEST(SamplerTest, RefusesWhatItDoesNotKnow) {
  Collect sink;
  MetricRegistry metrics;
  EXPECT_EQ(Sampler::Create({.root = "sometimes"}, sink, metrics).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const double ratio : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE(
        Sampler::Create({.root = "trace_id_ratio_based", .ratio = ratio}, sink, metrics).ok());
  }
}

}  // namespace
}  // namespace sonde::sampler
