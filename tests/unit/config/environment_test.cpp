// SPDX-License-Identifier: Apache-2.0
// OpenTelemetry's variables: what they set, and that nonsense in them is a warning, as the
// specification has it.
#include "config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "config/invocation.h"
#include "parse_helper.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(Environment, IsReadFromTheProcess) {
  const std::array<const char*, 5> variables{"A=1", "B=x=y", "EMPTY=", "malformed", nullptr};
  EXPECT_THAT(ReadEnvironment(variables.data()),
              ElementsAre(Pair("A", "1"), Pair("B", "x=y"), Pair("EMPTY", "")));
}

TEST(Environment, Samplers) {
  struct Case {
    const char* name;
    const char* root;
    bool parent_based;
  };
  for (const Case& c :
       {Case{"always_on", "always_on", false}, Case{"always_off", "always_off", false},
        Case{"traceidratio", "trace_id_ratio_based", false},
        Case{"parentbased_always_on", "always_on", true},
        Case{"parentbased_always_off", "always_off", true},
        Case{"parentbased_traceidratio", "trace_id_ratio_based", true}}) {
    const auto result =
        ParseFile("", {{"OTEL_TRACES_SAMPLER", c.name}, {"OTEL_TRACES_SAMPLER_ARG", "0.25"}});
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->config.sampler.root.kind, c.root);
    EXPECT_EQ(result->config.sampler.parent_based, c.parent_based);
    EXPECT_DOUBLE_EQ(result->config.sampler.root.ratio, 0.25);
    EXPECT_THAT(result->warnings, IsEmpty());
  }
}

TEST(Environment, SamplerNonsenseIsIgnored) {
  const auto result =
      ParseFile("", {{"OTEL_TRACES_SAMPLER", "jaeger_remote"}, {"OTEL_TRACES_SAMPLER_ARG", "7"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->config.sampler.root.kind, "always_on");
  EXPECT_TRUE(result->config.sampler.parent_based);
  EXPECT_DOUBLE_EQ(result->config.sampler.root.ratio, 1.0);
  EXPECT_EQ(result->warnings.size(), 2U);
}

TEST(Environment, RateLimitingTakesTracesPerSecond) {
  const auto result = ParseFile("", {{"OTEL_TRACES_SAMPLER", "parentbased_rate_limiting"},
                                     {"OTEL_TRACES_SAMPLER_ARG", "12.5"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->config.sampler.root.kind, "rate_limiting");
  EXPECT_DOUBLE_EQ(result->config.sampler.root.traces_per_second, 12.5);
}

TEST(Environment, SamplerArgumentAloneLeavesTheFile) {
  const char* file = "tracer_provider: {sampler: {trace_id_ratio_based: {ratio: 0.5}}}\n";
  EXPECT_DOUBLE_EQ(ParseFile(file, {{"OTEL_TRACES_SAMPLER_ARG", "0.1"}})->config.sampler.root.ratio,
                   0.5);
}

TEST(Environment, Propagators) {
  EXPECT_THAT(ParseFile("", {{"OTEL_PROPAGATORS", "baggage, tracecontext,baggage"}})
                  ->config.linking.propagators,
              ElementsAre("baggage", "tracecontext"));
  EXPECT_THAT(ParseFile("", {{"OTEL_PROPAGATORS", "none"}})->config.linking.propagators, IsEmpty());
  const auto some = ParseFile("", {{"OTEL_PROPAGATORS", "b3,tracecontext,klingon"}});
  EXPECT_THAT(some->config.linking.propagators, ElementsAre("b3", "tracecontext"));
  EXPECT_THAT(some->warnings, ElementsAre(HasSubstr("datadog or ottrace, got \"klingon\"")));
  EXPECT_THAT(ParseFile("", {})->config.linking.propagators,
              ElementsAre("tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "datadog",
                          "ottrace"));
}

TEST(Environment, Batches) {
  const auto result = ParseFile("", {{"OTEL_BSP_SCHEDULE_DELAY", "1"},
                                     {"OTEL_BSP_EXPORT_TIMEOUT", "2"},
                                     {"OTEL_BSP_MAX_QUEUE_SIZE", "30"},
                                     {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"}});
  EXPECT_EQ(result->config.batch.schedule_delay, Milliseconds(1));
  EXPECT_EQ(result->config.batch.export_timeout, Milliseconds(2));
  EXPECT_EQ(result->config.batch.max_queue_size, 30U);
  EXPECT_EQ(result->config.batch.max_export_batch_size, 4U);
  EXPECT_EQ(Refusal(ParseFile("", {{"OTEL_BSP_MAX_QUEUE_SIZE", "30"}})),
            "max_export_batch_size (512) must not be larger than max_queue_size (30)");
}

TEST(Environment, Limits) {
  const auto result = ParseFile("", {{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"},
                                     {"OTEL_ATTRIBUTE_COUNT_LIMIT", "20"},
                                     {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "30"}});
  EXPECT_EQ(result->config.attribute_limits.value_length, 10U);
  EXPECT_EQ(result->config.attribute_limits.count, 30U);
}

TEST(Environment, NonsenseInOtelVariablesIsAWarning) {
  const auto result = ParseFile("",
                                {{"OTEL_LOG_LEVEL", "loud"},
                                 {"OTEL_RESOURCE_ATTRIBUTES", "a=%zz"},
                                 {"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
                                 {"OTEL_EXPORTER_OTLP_HEADERS", "novalue"},
                                 {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"}},
                                {"--export", "otlp"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->warnings.size(), 5U);
  EXPECT_THAT(result->warnings,
              testing::Contains("environment variable OTEL_LOG_LEVEL is ignored: expected trace, "
                                "debug, info, warn, error or off, got \"loud\""));
  EXPECT_THAT(result->config.resource.attributes, IsEmpty());
}

TEST(Environment, NonsenseInOwnVariablesIsAnError) {
  EXPECT_EQ(Refusal(ParseFile("", {{"SONDE_LOG_FORMAT", "xml"}})),
            "environment variable SONDE_LOG_FORMAT: expected text or json, got \"xml\"");
  // Kubernetes sets such for a service of the name sonde.
  EXPECT_TRUE(
      ParseFile("", {{"SONDE_PORT", "tcp://10.0.0.1:80"}, {"SONDE_SERVICE_HOST", "x"}}).ok());
}

TEST(Environment, SecretsAreNotInMessages) {
  const auto result = ParseFile("", {{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret,bad"}},
                                {"--export", "otlp"});
  EXPECT_THAT(testing::PrintToString(result->warnings), Not(HasSubstr("s3cret")));
  EXPECT_THAT(Refusal(ParseFile("", {}, {"--export", "otlp", "--otlp-header", "s3cret"})),
              Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace sonde::config
