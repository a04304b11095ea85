// SPDX-License-Identifier: Apache-2.0
// Tail sampling decides as the OpenTelemetry Collector's tail_sampling processor did about the same
// spans: tests/fixtures/tail_sampling/main.go asked it.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sampler/tail_sampler.h"
#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

using Type = TailPolicyType;
using Policies = std::vector<TailPolicy>;

// As in main.go.
const std::map<std::string, Policies>& Sets() {
  static const TailPolicy errors{.name = "e", .type = Type::kStatusCode, .status_codes = {"ERROR"}};
  static const std::map<std::string, Policies> sets{
      {"errors", {errors}},
      {"unset_ok", {{.type = Type::kStatusCode, .status_codes = {"OK", "UNSET"}}}},
      {"latency", {{.type = Type::kLatency, .min = 300}}},
      {"route", {{.type = Type::kStringAttribute, .key = "http.route", .values = {"/a", "/b"}}}},
      {"regex",
       {{.type = Type::kStringAttribute,
         .key = "http.route",
         .values = {"^/a", "c$"},
         .enabled_regex_matching = true}}},
      {"service", {{.type = Type::kStringAttribute, .key = "service.name", .values = {"cart"}}}},
      {"number", {{.type = Type::kNumericAttribute, .key = "n", .min = 10, .max = 30}}},
      {"zero", {{.type = Type::kNumericAttribute, .key = "http.route", .min = -1, .max = 1}}},
      {"truth", {{.type = Type::kBooleanAttribute, .key = "b", .value = true}}},
      {"tenth", {{.type = Type::kProbabilistic, .sampling_percentage = 10}}},
      {"salted",
       {{.type = Type::kProbabilistic, .sampling_percentage = 33.3, .hash_salt = "salt"}}},
      {"count", {{.type = Type::kSpanCount, .min = 2, .max = 3}}},
      {"inverted",
       {{.name = "a",
         .type = Type::kStringAttribute,
         .key = "http.route",
         .values = {"/a"},
         .invert_match = true},
        errors,
        {.name = "n",
         .type = Type::kNumericAttribute,
         .key = "n",
         .invert_match = true,
         .min = 0,
         .max = 5}}},
      {"only_inverted",
       {{.type = Type::kBooleanAttribute, .key = "b", .invert_match = true, .value = true}}},
      {"and",
       {{.type = Type::kAnd,
         .sub = {{.type = Type::kStringAttribute,
                  .key = "http.route",
                  .values = {"/b"},
                  .invert_match = true},
                 {.type = Type::kLatency, .min = 100}}}}},
      {"composite",
       {{.type = Type::kComposite,
         .spans_per_second = 100'000,
         .sub = {errors, {.type = Type::kLatency, .min = 400}},
         .percents = {0, 50}}}},
  };
  return sets;
}

Span ToSpan(const TraceId& id, const nlohmann::json& from) {
  constexpr uint64_t kMs = 1'000'000;
  Span span;
  span.trace_id = id;
  span.start_wall_ns = (1'700'000'000'000 + from["StartMs"].get<uint64_t>()) * kMs;
  span.end_wall_ns = (1'700'000'000'000 + from["EndMs"].get<uint64_t>()) * kMs;
  span.status = static_cast<SpanStatus>(from["Status"].get<int>());
  auto resource = std::make_shared<Resource>();
  resource->attributes = {{"service.name", from["Service"].get<std::string>()}};
  span.resource = std::move(resource);
  // In place: gcc 12 warns of temporaries.
  const auto add = [&](std::string_view key) -> AttributeValue& {
    Attribute& attribute = span.attributes.emplace_back();
    attribute.key = key;
    return attribute.value;
  };
  if (from.contains("Route")) add("http.route") = from["Route"].get<std::string>();
  if (from.contains("N")) add("n") = from["N"].get<int64_t>();
  if (from.contains("B")) add("b") = from["B"].get<bool>();
  return span;
}

class Ids final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { ids.insert(span.trace_id.ToHex()); }
  std::set<std::string> ids;
};

TEST(TailSampler, DecidesAsTheCollector) {
  std::ifstream file(SONDE_FIXTURES "/tail_sampling/decisions.json");
  const auto fixture = nlohmann::json::parse(file);
  ASSERT_EQ(fixture["decisions"].size(), Sets().size());
  for (const auto& [name, policies] : Sets()) {
    Ids sampled;
    MetricRegistry metrics;
    const auto tail = TailSampler::Create({.policies = policies}, sampled, metrics);
    ASSERT_TRUE(tail.ok()) << tail.status();
    for (const auto& trace : fixture["traces"]) {
      const auto id = TraceId::FromHex(trace["Id"].get<std::string>());
      for (const auto& span : trace["Spans"]) (*tail)->OnSpan(ToSpan(*id, span));
    }
    (*tail)->Shutdown();
    const auto wanted = fixture["decisions"][name].get<std::set<std::string>>();
    EXPECT_FALSE(wanted.empty()) << name;
    EXPECT_LT(wanted.size(), fixture["traces"].size()) << name;
    EXPECT_EQ(sampled.ids, wanted) << name;
  }
}

}  // namespace
}  // namespace sonde::sampler
