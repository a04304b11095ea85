// SPDX-License-Identifier: Apache-2.0
#include "sampler/sampler.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sampler/trace_state.h"
#include "sonde/base/ids.h"

namespace sonde::sampler {
namespace {

class Collect final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { spans.push_back(std::move(span)); }
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
  Bench on({.root = {.kind = "always_on"}});
  EXPECT_TRUE(on.Keeps(WithTrace(kLow)));
  EXPECT_EQ(on.dropped(), 0U);
  Bench off({.root = {.kind = "always_off"}});
  EXPECT_FALSE(off.Keeps(WithTrace(kHigh)));
  EXPECT_EQ(off.dropped(), 1U);
}

TEST(SamplerTest, RatioComparesTheLow56BitsWithTheThreshold) {
  Bench half({.root = {.kind = "trace_id_ratio_based", .ratio = 0.5}});
  EXPECT_FALSE(half.Keeps(WithTrace(kLow)));
  EXPECT_FALSE(half.Keeps(WithTrace(kBelowMiddle)));
  EXPECT_TRUE(half.Keeps(WithTrace(kMiddle)));
  EXPECT_TRUE(half.Keeps(WithTrace(kHigh)));
  Bench all({.root = {.kind = "trace_id_ratio_based", .ratio = 1}});
  EXPECT_TRUE(all.Keeps(WithTrace(kLow)));
  Bench none({.root = {.kind = "trace_id_ratio_based", .ratio = 0}});
  EXPECT_FALSE(none.Keeps(WithTrace(kHigh)));
}

TEST(SamplerTest, RatioKeepsThatShareAndALargerRatioKeepsASuperset) {
  Bench tenth({.root = {.kind = "trace_id_ratio_based", .ratio = 0.1}});
  Bench third({.root = {.kind = "trace_id_ratio_based", .ratio = 0.3}});
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

  Bench parent({.root = {.kind = "trace_id_ratio_based", .ratio = 0.5}, .parent_based = true});
  EXPECT_FALSE(parent.Keeps(unsampled));
  EXPECT_TRUE(parent.Keeps(sampled));
  EXPECT_TRUE(parent.Keeps(child));
  EXPECT_FALSE(parent.Keeps(undecided));
  EXPECT_FALSE(parent.Keeps(WithTrace(kLow)));  // a root of this host

  Bench plain({.root = {.kind = "trace_id_ratio_based", .ratio = 0.5}, .parent_based = false});
  EXPECT_TRUE(plain.Keeps(unsampled));
  EXPECT_FALSE(plain.Keeps(sampled));
}

TEST(SamplerTest, EveryBranchOfParentBasedCanBeChosen) {
  Span remote_sampled = WithTrace(kLow, 1);
  remote_sampled.parent_is_remote = remote_sampled.trace_from_header = true;
  remote_sampled.parent_span_id = *SpanId::FromHex("0000000000000001");
  Span remote_not_sampled = remote_sampled;
  remote_not_sampled.trace_flags = 0;
  Span local = WithTrace(kHigh);
  local.parent_span_id = remote_sampled.parent_span_id;

  Bench turned({.remote_parent_sampled = {.kind = "always_off"},
                .remote_parent_not_sampled = {.kind = "always_on"},
                .local_parent_sampled = {.kind = "always_off"}});
  EXPECT_FALSE(turned.Keeps(remote_sampled));
  EXPECT_TRUE(turned.Keeps(remote_not_sampled));
  EXPECT_TRUE(turned.Keeps(WithTrace(kHigh)));
  EXPECT_FALSE(turned.Keeps(local));
  Bench revived({.root = {.kind = "always_off"}, .local_parent_not_sampled = {}});
  EXPECT_FALSE(revived.Keeps(WithTrace(kHigh)));
  EXPECT_TRUE(revived.Keeps(local));
}

TEST(SamplerTest, RateLimitingCountsTracesAndNotSpans) {
  Bench bench({.root = {.kind = "rate_limiting", .traces_per_second = 10}});
  IdGenerator ids(1);
  int kept = 0;
  std::vector<TraceId> traces;
  constexpr uint64_t kMillisecond = 1'000'000;
  for (uint64_t i = 0; i < 1000; ++i) {  // ten seconds
    Span span;
    span.trace_id = ids.NewTraceId();
    span.end_mono_ns = (1 + i) * 10 * kMillisecond;
    traces.push_back(span.trace_id);
    kept += bench.Keeps(std::move(span)) ? 1 : 0;
  }
  EXPECT_NEAR(kept, 110, 2);  // what had gathered in the first second, and ten in each
  // Later spans share the fate of their trace, whatever the rate.
  const size_t before = bench.sink.spans.size();
  for (const TraceId& id : traces) {
    Span span;
    span.trace_id = id;
    bench.Keeps(std::move(span));
  }
  EXPECT_EQ(bench.sink.spans.size() - before, static_cast<size_t>(kept));
}

TEST(SamplerTest, TracestateGivesRandomnessAndGetsTheThreshold) {
  Bench tenth({.root = {.kind = "trace_id_ratio_based", .ratio = 0.1}, .parent_based = false});
  Span lucky = WithTrace(kLow);  // its id alone would not do
  lucky.tracestate = "vendor=1,ot=rv:e6666666666668;x:y";
  ASSERT_TRUE(tenth.Keeps(lucky));
  EXPECT_EQ(tenth.sink.spans[0].tracestate, "ot=th:e6666666666668;rv:e6666666666668;x:y,vendor=1");
  Span unlucky = WithTrace(kHigh);
  unlucky.tracestate = "ot=rv:e6666666666665";
  EXPECT_FALSE(tenth.Keeps(unlucky));
  Bench half({.root = {.kind = "trace_id_ratio_based", .ratio = 0.5}});
  ASSERT_TRUE(half.Keeps(WithTrace(kHigh)));
  EXPECT_EQ(half.sink.spans[0].tracestate, "ot=th:8");
  Bench all({.root = {.kind = "trace_id_ratio_based", .ratio = 1}});
  ASSERT_TRUE(all.Keeps(WithTrace(kLow)));
  EXPECT_EQ(all.sink.spans[0].tracestate, "ot=th:0");
  Bench on(SamplerOptions{});
  ASSERT_TRUE(on.Keeps(WithTrace(kLow)));
  EXPECT_EQ(on.sink.spans[0].tracestate, "");
}

Span Request(const std::string& route, const std::string& service = "shop") {
  static IdGenerator ids(5);
  auto resource = std::make_shared<Resource>();
  resource->service_name = service;
  resource->attributes = {{"service.name", service}};
  Span span;
  span.trace_id = ids.NewTraceId();
  span.kind = SpanKind::kServer;
  span.attributes = {{"http.route", route}, {"http.response.status_code", int64_t{200}}};
  span.resource = std::move(resource);
  return span;
}

SamplerOptions ByRules(std::vector<SamplingRule> rules) {
  return {.root = {.kind = "rule_based"}, .rules = std::move(rules)};
}

TEST(RulesTest, TheFirstThatFitsDecides) {
  Bench bench(ByRules({
      {.key = "http.route", .values = {"/healthz", "/readyz"}, .sampler = {.kind = "always_off"}},
      {.key = "http.route",
       .included = {"/internal/*", "/a?c"},
       .excluded = {"/internal/keep*"},
       .sampler = {.kind = "always_off"}},
      {.key = "service.name", .values = {"noisy"}, .sampler = {.kind = "always_off"}},
      {.key = "http.response.status_code", .values = {"404"}, .sampler = {.kind = "always_off"}},
      {.span_kinds = {"server"}, .sampler = {.kind = "always_on"}},
  }));
  for (const char* route : {"/healthz", "/internal/x", "/internal/", "/abc", "/a.c"}) {
    EXPECT_FALSE(bench.Keeps(Request(route))) << route;
  }
  for (const char* route : {"/", "/healthz/", "/internal", "/internal/keep/x", "/abbc", ""}) {
    EXPECT_TRUE(bench.Keeps(Request(route))) << route;
  }
  EXPECT_FALSE(bench.Keeps(Request("/", "noisy")));
  Span missing = Request("/");
  missing.attributes[1].value = int64_t{404};
  EXPECT_FALSE(bench.Keeps(missing));
  Span client = Request("/");
  client.kind = SpanKind::kClient;
  EXPECT_FALSE(bench.Keeps(client)) << "no rule fits";
}

// The request that came in is asked about; what it caused shares its fate, whatever it says itself.
TEST(RulesTest, TheWholeTraceFollowsItsRoot) {
  Bench bench(ByRules({{.key = "http.route", .values = {"/a"}, .sampler = {.kind = "always_off"}},
                       {.sampler = {.kind = "trace_id_ratio_based", .ratio = 1}}}));
  for (const char* root : {"/a", "/b"}) {
    const Span first = Request(root);
    Span below = Request("/a");
    below.trace_id = first.trace_id;
    below.parent_span_id = SpanId{{1}};
    EXPECT_EQ(bench.Keeps(first), root == std::string("/b"));
    EXPECT_EQ(bench.Keeps(below), root == std::string("/b"));
  }
  EXPECT_EQ(bench.dropped(), 2U);
  ASSERT_EQ(bench.sink.spans.size(), 2U);
  for (const Span& span : bench.sink.spans) EXPECT_EQ(span.tracestate, "ot=th:0");
}

TEST(RulesTest, ARateIsOfItsRule) {
  Bench bench(ByRules({{.key = "http.route",
                        .values = {"/a"},
                        .sampler = {.kind = "rate_limiting", .traces_per_second = 3}},
                       {.sampler = {.kind = "always_on"}}}));
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += bench.Keeps(Request("/a")) ? 1 : 0;
  EXPECT_EQ(kept, 3);
  EXPECT_TRUE(bench.Keeps(Request("/b")));
}

TEST(RulesTest, AHeadersDecisionComesFirst) {
  Bench bench(ByRules({{.sampler = {.kind = "always_off"}}}));
  Span span = Request("/a");
  span.trace_from_header = true;
  span.trace_flags = 1;
  EXPECT_TRUE(bench.Keeps(span));
}

TEST(TraceStateTest, ReadsWhatIsWellFormedOnly) {
  EXPECT_EQ(ThresholdIn("a=b, ot=th:c;rv:00000000000001"), uint64_t{0xc} << 52);
  EXPECT_EQ(RandomnessIn("ot=th:c;rv:00000000000001"), uint64_t{1});
  for (const char* bad : {"", "ot=", "ot=th:", "ot=th:xyz", "ot=th:123456789012345", "xot=th:1"}) {
    EXPECT_FALSE(ThresholdIn(bad).has_value()) << bad;
  }
  EXPECT_FALSE(RandomnessIn("ot=rv:123").has_value());
}

TEST(SamplerTest, RefusesWhatItDoesNotKnow) {
  Collect sink;
  MetricRegistry metrics;
  EXPECT_EQ(Sampler::Create({.root = {.kind = "sometimes"}}, sink, metrics).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const double ratio : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE(
        Sampler::Create({.root = {.kind = "trace_id_ratio_based", .ratio = ratio}}, sink, metrics)
            .ok());
  }
}

// The rule of the process where the trace began decides about all of it.
TEST(SamplerTest, ARuleHasASamplerOfItsOwn) {
  const auto rule = [](std::optional<SamplerOptions> sampler) {
    return DiscoveryRule{.selectors = {},
                         .settings = std::make_shared<const RuleSettings>(
                             RuleSettings{.service_name = "", .sampler = std::move(sampler)})};
  };
  const auto never = rule(SamplerOptions{.root = {.kind = "always_off"}});
  const auto half = rule(SamplerOptions{.root = {.kind = "trace_id_ratio_based", .ratio = 0.5}});
  const auto plain = rule(std::nullopt);
  Bench bench({.root = {.kind = "always_on"}});
  ASSERT_TRUE(bench.sampler->Configure({.root = {.kind = "always_on"}}, {never, half, plain}).ok());
  const auto from = [](const DiscoveryRule& root, const char* trace) {
    Span span = WithTrace(trace);
    span.root_rule = root.settings;
    return span;
  };
  EXPECT_FALSE(bench.Keeps(from(never, kHigh)));
  EXPECT_TRUE(bench.Keeps(from(half, kHigh)));
  EXPECT_FALSE(bench.Keeps(from(half, kLow)));
  EXPECT_TRUE(bench.Keeps(from(plain, kLow)));
  EXPECT_TRUE(bench.Keeps(WithTrace(kLow)));
  // A trace that came in decided stays so: parent_based is the default of a rule too.
  Span remote = from(never, kLow);
  remote.trace_from_header = true;
  EXPECT_TRUE(bench.Keeps(remote));
  // Rules of a configuration that is gone.
  ASSERT_TRUE(bench.sampler->Configure({.root = {.kind = "always_on"}}, {}).ok());
  EXPECT_TRUE(bench.Keeps(from(never, kHigh)));
  // A wrong one changes nothing.
  const auto wrong = rule(SamplerOptions{.root = {.kind = "sometimes"}});
  EXPECT_FALSE(bench.sampler->Configure({.root = {.kind = "always_off"}}, {wrong}).ok());
  EXPECT_TRUE(bench.Keeps(WithTrace(kHigh)));
}

}  // namespace
}  // namespace sonde::sampler
