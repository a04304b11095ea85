// SPDX-License-Identifier: Apache-2.0
#include "sampler/tail_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sampler/tail/policy.h"
#include "sonde/base/ids.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

using testing::SizeIs;
using Type = TailPolicyType;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

class Collect final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

Span Make(Attributes attributes = {}, SpanStatus status = SpanStatus::kUnset, uint64_t start = 0,
          uint64_t end = 0) {
  static IdGenerator ids(5);
  Span span;
  span.trace_id = ids.NewTraceId();
  span.attributes = std::move(attributes);
  span.status = status;
  span.start_wall_ns = start;
  span.end_wall_ns = end;
  return span;
}

Vote Ask(const TailPolicy& options, const std::vector<Span>& spans, uint64_t second = 1) {
  const auto policy = MakePolicy(options);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return (*policy)->Ask({.spans = spans, .second = second});
}

TEST(TailPolicy, StatusCode) {
  const TailPolicy errors{.type = Type::kStatusCode, .status_codes = {"ERROR"}};
  EXPECT_EQ(Ask(errors, {Make(), Make({}, SpanStatus::kError)}), Vote::kSampled);
  EXPECT_EQ(Ask(errors, {Make(), Make({}, SpanStatus::kOk)}), Vote::kNotSampled);
  const TailPolicy unset{.type = Type::kStatusCode, .status_codes = {"OK", "UNSET"}};
  EXPECT_EQ(Ask(unset, {Make()}), Vote::kSampled);
}

TEST(TailPolicy, LatencyIsOfTheWholeTrace) {
  const std::vector<Span> trace{Make({}, SpanStatus::kUnset, 100 * kMs, 200 * kMs),
                                Make({}, SpanStatus::kUnset, 300 * kMs, 600 * kMs)};
  EXPECT_EQ(Ask({.type = Type::kLatency, .min = 500}, trace), Vote::kSampled);
  EXPECT_EQ(Ask({.type = Type::kLatency, .min = 501}, trace), Vote::kNotSampled);
  EXPECT_EQ(Ask({.type = Type::kLatency, .min = 499, .max = 500}, trace), Vote::kSampled);
  EXPECT_EQ(Ask({.type = Type::kLatency, .min = 500, .max = 600}, trace), Vote::kNotSampled);
}

TEST(TailPolicy, StringAttributeOfSpanOrResource) {
  auto resource = std::make_shared<Resource>();
  resource->attributes = {{"service.name", "cart"}};
  Span of_cart = Make({{"http.route", "/cart/{id}"}, {"n", int64_t{7}}});
  of_cart.resource = resource;
  const std::vector<Span> trace{Make({{"http.route", "/"}}), of_cart};
  TailPolicy policy{.type = Type::kStringAttribute, .key = "http.route", .values = {"/cart/{id}"}};
  EXPECT_EQ(Ask(policy, trace), Vote::kSampled);
  policy.invert_match = true;
  EXPECT_EQ(Ask(policy, trace), Vote::kInvertNotSampled);
  policy.values = {"/cart"};
  EXPECT_EQ(Ask(policy, trace), Vote::kInvertSampled);
  policy = {.type = Type::kStringAttribute,
            .key = "http.route",
            .values = {"^/cart"},
            .enabled_regex_matching = true};
  EXPECT_EQ(Ask(policy, trace), Vote::kSampled);
  policy.values = {"cart$", "^nothing"};
  EXPECT_EQ(Ask(policy, trace), Vote::kNotSampled);
  EXPECT_EQ(Ask({.type = Type::kStringAttribute, .key = "service.name", .values = {"cart"}}, trace),
            Vote::kSampled);
  EXPECT_EQ(Ask({.type = Type::kStringAttribute, .key = "n", .values = {"7"}}, trace),
            Vote::kNotSampled);
  EXPECT_FALSE(MakePolicy({.type = Type::kStringAttribute,
                           .key = "a",
                           .values = {"("},
                           .enabled_regex_matching = true})
                   .ok());
}

TEST(TailPolicy, NumericAndBooleanAttributes) {
  const std::vector<Span> trace{
      Make({{"http.response.status_code", int64_t{404}}, {"cached", true}})};
  TailPolicy number{
      .type = Type::kNumericAttribute, .key = "http.response.status_code", .min = 400, .max = 404};
  EXPECT_EQ(Ask(number, trace), Vote::kSampled);
  number.invert_match = true;
  EXPECT_EQ(Ask(number, trace), Vote::kInvertNotSampled);
  number.max = 403;
  EXPECT_EQ(Ask(number, trace), Vote::kInvertSampled);
  EXPECT_EQ(Ask({.type = Type::kBooleanAttribute, .key = "cached", .value = true}, trace),
            Vote::kSampled);
  EXPECT_EQ(Ask({.type = Type::kBooleanAttribute, .key = "cached", .value = false}, trace),
            Vote::kNotSampled);
  EXPECT_EQ(Ask({.type = Type::kBooleanAttribute, .key = "absent", .value = false}, trace),
            Vote::kNotSampled);
}

TEST(TailPolicy, ProbabilisticKeepsItsShareAndALargerOneASuperset) {
  int ten = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<Span> trace{Make()};
    const bool in_ten =
        Ask({.type = Type::kProbabilistic, .sampling_percentage = 10}, trace) == Vote::kSampled;
    ten += in_ten ? 1 : 0;
    if (in_ten) {
      EXPECT_EQ(Ask({.type = Type::kProbabilistic, .sampling_percentage = 30}, trace),
                Vote::kSampled);
    }
    EXPECT_EQ(Ask({.type = Type::kProbabilistic, .sampling_percentage = 100}, trace),
              Vote::kSampled);
  }
  EXPECT_NEAR(ten, 2000, 200);
}

TEST(TailPolicy, RateLimitingCountsSpansOfASecond) {
  const auto policy = *MakePolicy({.type = Type::kRateLimiting, .spans_per_second = 4});
  const std::vector<Span> one{Make()};
  const std::vector<Span> three{Make(), Make(), Make()};
  EXPECT_EQ(policy->Ask({.spans = three, .second = 1}), Vote::kSampled);
  EXPECT_EQ(policy->Ask({.spans = one, .second = 1}), Vote::kNotSampled);  // exclusive
  EXPECT_EQ(policy->Ask({.spans = one, .second = 2}), Vote::kSampled);
}

TEST(TailPolicy, AndWantsAll) {
  const TailPolicy errors{.type = Type::kStatusCode, .status_codes = {"ERROR"}};
  const TailPolicy not_health{.type = Type::kStringAttribute,
                              .key = "http.route",
                              .values = {"/health"},
                              .invert_match = true};
  const TailPolicy both{.type = Type::kAnd, .sub = {errors, not_health}};
  EXPECT_EQ(Ask(both, {Make({}, SpanStatus::kError)}), Vote::kSampled);
  EXPECT_EQ(Ask(both, {Make()}), Vote::kNotSampled);
  EXPECT_EQ(Ask(both, {Make({{"http.route", "/health"}}, SpanStatus::kError)}),
            Vote::kInvertNotSampled);
  EXPECT_FALSE(MakePolicy({.type = Type::kAnd}).ok());
}

TEST(TailPolicy, CompositeSharesTheRateInOrder) {
  const TailPolicy errors{.name = "errors", .type = Type::kStatusCode, .status_codes = {"ERROR"}};
  const TailPolicy rest{.name = "rest", .type = Type::kAlwaysSample};
  const auto policy = *MakePolicy({.type = Type::kComposite,
                                   .spans_per_second = 10,
                                   .sub = {errors, rest},
                                   .percents = {50, 20}});
  const auto sampled = [&](SpanStatus status, uint64_t second) {
    int count = 0;
    for (int i = 0; i < 20; ++i) {
      const std::vector<Span> trace{Make({}, status)};
      count += policy->Ask({.spans = trace, .second = second}) == Vote::kSampled ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(sampled(SpanStatus::kUnset, 1), 2);
  EXPECT_EQ(sampled(SpanStatus::kError, 1), 5);
  EXPECT_EQ(sampled(SpanStatus::kError, 2), 5);
}

TEST(TailPolicy, InvertedMatchesOutvote) {
  EXPECT_FALSE(Decide({}));
  EXPECT_TRUE(Decide({Vote::kNotSampled, Vote::kSampled}));
  EXPECT_FALSE(Decide({Vote::kSampled, Vote::kInvertNotSampled}));
  EXPECT_TRUE(Decide({Vote::kInvertSampled}));
  EXPECT_FALSE(Decide({Vote::kInvertSampled, Vote::kNotSampled}));
}

struct Bench {
  explicit Bench(TailSamplingOptions options) {
    options.policies = {{.name = "errors", .type = Type::kStatusCode, .status_codes = {"ERROR"}}};
    tail = *TailSampler::Create(options, sink, metrics);
    tail->OnTick(kSecond);
  }
  uint64_t Count(const std::string& name, const std::string& label, const std::string& value) {
    return metrics.AddCounter(name, "", {{label, value}}).value();
  }
  uint64_t dropped() { return Count("sonde_spans_dropped_total", "reason", "tail_sampled_out"); }
  int64_t held() { return metrics.AddGauge("sonde_tail_sampling_spans", "").value(); }

  Collect sink;
  MetricRegistry metrics;
  std::unique_ptr<TailSampler> tail;
};

Span Of(const TraceId& id, SpanStatus status = SpanStatus::kUnset) {
  Span span = Make({}, status);
  span.trace_id = id;
  return span;
}

TEST(TailSampler, DecidesAfterTheWaitAboutTheWholeTrace) {
  Bench bench({.decision_wait = std::chrono::seconds(2)});
  const TraceId good = Make().trace_id;
  const TraceId bad = Make().trace_id;
  bench.tail->OnSpan(Of(good));
  bench.tail->OnSpan(Of(bad));
  bench.tail->OnTick(2 * kSecond);
  bench.tail->OnSpan(Of(bad, SpanStatus::kError));
  bench.tail->OnTick(3 * kSecond - 1);
  EXPECT_THAT(bench.sink.spans, SizeIs(0));
  EXPECT_EQ(bench.held(), 3);
  bench.tail->OnTick(3 * kSecond);
  ASSERT_THAT(bench.sink.spans, SizeIs(2));
  EXPECT_EQ(bench.sink.spans[0].trace_id, bad);
  EXPECT_EQ(bench.dropped(), 1U);
  EXPECT_EQ(bench.held(), 0);
  // Late spans follow, whatever they are.
  bench.tail->OnSpan(Of(bad));
  bench.tail->OnSpan(Of(good, SpanStatus::kError));
  EXPECT_THAT(bench.sink.spans, SizeIs(3));
  EXPECT_EQ(bench.dropped(), 2U);
  EXPECT_EQ(bench.held(), 0);
}

TEST(TailSampler, WaitsAlsoBeforeTheFirstTick) {
  Collect sink;
  MetricRegistry metrics;
  const auto tail = *TailSampler::Create(
      {.policies = {{.name = "all"}}, .decision_wait = std::chrono::seconds(2)}, sink, metrics);
  Span span = Make();
  span.end_mono_ns = 1000 * kSecond;
  tail->OnSpan(std::move(span));
  tail->OnTick(1001 * kSecond);
  EXPECT_THAT(sink.spans, SizeIs(0));
  tail->OnTick(1002 * kSecond);
  EXPECT_THAT(sink.spans, SizeIs(1));
}

Span Child(const TraceId& id, SpanStatus status = SpanStatus::kUnset) {
  static IdGenerator ids(6);
  Span span = Of(id, status);
  span.parent_span_id = ids.NewSpanId();
  return span;
}

TEST(TailSampler, ARootBringsTheDecisionForward) {
  Bench bench({.decision_wait = std::chrono::seconds(10),
               .decision_wait_after_root = std::chrono::seconds(1)});
  const TraceId rootless = Make().trace_id;
  const TraceId rooted = Make().trace_id;
  const TraceId root_first = Make().trace_id;
  for (const TraceId& id : {rootless, rooted}) bench.tail->OnSpan(Child(id, SpanStatus::kError));
  bench.tail->OnTick(4 * kSecond);
  bench.tail->OnSpan(Of(root_first));
  bench.tail->OnTick(4 * kSecond + 500 * kMs);
  bench.tail->OnSpan(Of(rooted));
  bench.tail->OnSpan(Child(root_first, SpanStatus::kError));
  bench.tail->OnTick(5 * kSecond - 1);
  EXPECT_THAT(bench.sink.spans, SizeIs(0));
  bench.tail->OnTick(5 * kSecond);
  ASSERT_THAT(bench.sink.spans, SizeIs(2));
  EXPECT_EQ(bench.sink.spans[1].trace_id, root_first);
  bench.tail->OnTick(5 * kSecond + 500 * kMs - 1);
  EXPECT_THAT(bench.sink.spans, SizeIs(2));
  bench.tail->OnTick(5 * kSecond + 500 * kMs);
  ASSERT_THAT(bench.sink.spans, SizeIs(4));
  EXPECT_EQ(bench.sink.spans[3].trace_id, rooted);
  EXPECT_EQ(bench.held(), 1);
  bench.tail->OnTick(11 * kSecond - 1);
  EXPECT_EQ(bench.held(), 1);
  bench.tail->OnTick(11 * kSecond);
  EXPECT_EQ(bench.held(), 0);
  EXPECT_THAT(bench.sink.spans, SizeIs(5));
}

// Neither a second root nor one that comes when the wait is nearly over.
TEST(TailSampler, ARootNeverPutsTheDecisionOff) {
  Bench bench({.decision_wait = std::chrono::seconds(4),
               .decision_wait_after_root = std::chrono::seconds(2)});
  const TraceId two_roots = Make().trace_id;
  const TraceId late_root = Make().trace_id;
  bench.tail->OnSpan(Of(two_roots, SpanStatus::kError));
  bench.tail->OnSpan(Child(late_root, SpanStatus::kError));
  bench.tail->OnTick(2 * kSecond);
  bench.tail->OnSpan(Of(two_roots));
  bench.tail->OnTick(3 * kSecond);
  EXPECT_THAT(bench.sink.spans, SizeIs(2));
  bench.tail->OnTick(4 * kSecond);
  bench.tail->OnSpan(Of(late_root));
  bench.tail->OnTick(5 * kSecond);
  EXPECT_THAT(bench.sink.spans, SizeIs(4));
}

TEST(TailSampler, WithoutAWaitAfterItARootChangesNothing) {
  Bench bench({.decision_wait = std::chrono::seconds(4)});
  bench.tail->OnSpan(Make());
  bench.tail->OnTick(5 * kSecond - 1);
  EXPECT_EQ(bench.held(), 1);
  bench.tail->OnTick(5 * kSecond);
  EXPECT_EQ(bench.held(), 0);
}

TEST(TailSampler, WithoutRoomWhatIsDecidedNextGoesFirst) {
  Bench bench({.decision_wait = std::chrono::seconds(10),
               .decision_wait_after_root = std::chrono::seconds(1),
               .num_traces = 2});
  bench.tail->OnSpan(Child(Make().trace_id, SpanStatus::kError));
  const TraceId rooted = Make().trace_id;
  bench.tail->OnSpan(Of(rooted, SpanStatus::kError));
  bench.tail->OnSpan(Child(Make().trace_id));
  ASSERT_THAT(bench.sink.spans, SizeIs(1));
  EXPECT_EQ(bench.sink.spans[0].trace_id, rooted);
}

TEST(TailSampler, WithoutRoomTheOldestIsDecidedEarly) {
  Bench few({.num_traces = 2});
  const TraceId bad = Make().trace_id;
  few.tail->OnSpan(Of(bad, SpanStatus::kError));
  few.tail->OnSpan(Make());
  few.tail->OnSpan(Make());
  EXPECT_THAT(few.sink.spans, SizeIs(1));
  EXPECT_EQ(few.Count("sonde_tail_sampling_early_total", "reason", "num_traces"), 1U);
  Bench small({.max_spans = 3});
  for (int i = 0; i < 3; ++i) small.tail->OnSpan(Of(bad, SpanStatus::kError));
  small.tail->OnSpan(Make());
  EXPECT_THAT(small.sink.spans, SizeIs(3));
  EXPECT_EQ(small.Count("sonde_tail_sampling_early_total", "reason", "max_spans"), 1U);
}

// The oldest go first, and of those only what the policies do not want.
TEST(TailSampler, LittleMemoryShedsTheOldestUnsampled) {
  Bench bench({.max_spans = 80});
  std::vector<TraceId> traces;
  for (int i = 0; i < 40; ++i) {
    traces.push_back(Make().trace_id);
    bench.tail->OnSpan(Of(traces.back(), i % 4 == 0 ? SpanStatus::kError : SpanStatus::kUnset));
  }
  bench.tail->SetMemoryLevel(MemoryLevel::kSoft);
  EXPECT_EQ(bench.held(), 10);
  EXPECT_EQ(bench.Count("sonde_tail_sampling_early_total", "reason", "memory"), 30U);
  EXPECT_THAT(bench.sink.spans, SizeIs(8));
  EXPECT_EQ(bench.sink.spans[0].trace_id, traces[0]);
  EXPECT_EQ(bench.dropped(), 22U);
  bench.tail->OnSpan(Make());
  EXPECT_EQ(bench.held(), 10);
  bench.tail->SetMemoryLevel(MemoryLevel::kFine);
  for (int i = 0; i < 20; ++i) bench.tail->OnSpan(Make());
  EXPECT_EQ(bench.held(), 30);
}

TEST(TailSampler, OneThatSamplesEndsTheQuestions) {
  for (const bool first_match : {false, true}) {
    Collect sink;
    MetricRegistry metrics;
    const auto tail = *TailSampler::Create({.policies = {{.name = "all"}, {.name = "second"}},
                                            .expected_traces_per_second = 100,
                                            .sample_on_first_match = first_match},
                                           sink, metrics);
    tail->OnSpan(Make());
    tail->Shutdown();
    EXPECT_THAT(sink.spans, SizeIs(1));
    EXPECT_EQ(metrics
                  .AddCounter("sonde_tail_sampling_votes_total", "",
                              {{"policy", "second"}, {"vote", "sampled"}})
                  .value(),
              first_match ? 0U : 1U);
  }
}

TEST(TailSampler, WhatWaitsAtTheEndIsDroppedIfSoConfigured) {
  Bench bench({.drop_pending_on_shutdown = true});
  for (int i = 0; i < 5; ++i) bench.tail->OnSpan(Of(Make().trace_id, SpanStatus::kError));
  bench.tail->Shutdown();
  EXPECT_THAT(bench.sink.spans, SizeIs(0));
  EXPECT_EQ(bench.dropped(), 5U);
  EXPECT_EQ(bench.held(), 0);
}

TEST(TailSampler, EverySpanIsAccountedFor) {
  Bench bench({.decision_wait = std::chrono::seconds(1),
               .decision_wait_after_root = Milliseconds(30),
               .num_traces = 50,
               .max_spans = 120});
  std::mt19937_64 random(3);
  std::vector<TraceId> traces;
  for (int i = 0; i < 300; ++i) traces.push_back(Make().trace_id);
  constexpr uint64_t kSpans = 20'000;
  for (uint64_t i = 0; i < kSpans; ++i) {
    const TraceId& id = traces[random() % traces.size()];
    const auto status = random() % 50 == 0 ? SpanStatus::kError : SpanStatus::kUnset;
    bench.tail->OnSpan(random() % 3 == 0 ? Of(id, status) : Child(id, status));
    bench.tail->OnTick(kSecond + (i * kMs));
    ASSERT_EQ(bench.sink.spans.size() + bench.dropped() + static_cast<uint64_t>(bench.held()),
              i + 1);
    ASSERT_LE(bench.held(), 120);
  }
  bench.tail->Shutdown();
  EXPECT_EQ(bench.held(), 0);
  EXPECT_EQ(bench.sink.spans.size() + bench.dropped(), kSpans);
  EXPECT_GT(bench.sink.spans.size(), 0U);
}

TEST(TailSampler, AReloadChangesThePolicies) {
  Bench bench({.decision_wait = std::chrono::seconds(1)});
  bench.tail->OnSpan(Make());
  EXPECT_FALSE(bench.tail
                   ->Configure({.policies = {{.name = "a",
                                              .type = Type::kStringAttribute,
                                              .key = "k",
                                              .values = {"("},
                                              .enabled_regex_matching = true}}})
                   .ok());
  ASSERT_TRUE(bench.tail->Configure({.policies = {{.name = "all"}}}).ok());
  bench.tail->OnTick(5 * kSecond);
  EXPECT_THAT(bench.sink.spans, SizeIs(1));
}

}  // namespace
}  // namespace sonde::sampler
