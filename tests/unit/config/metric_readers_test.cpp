// SPDX-License-Identifier: Apache-2.0
// Where metrics are pushed to: meter_provider and the variables (OpenTelemetry environment variable
// and OTLP exporter specifications).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/environment.h"
#include "config/invocation.h"
#include "parse_helper.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<MetricReaderOptions> Readers(const std::string& yaml, const Environment& env = {},
                                         const std::vector<std::string>& flags = {}) {
  const auto result = ParseFile(yaml, env, flags);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->config.metric_readers : std::vector<MetricReaderOptions>{};
}

TEST(MetricReaders, NoneUnlessAskedFor) {
  EXPECT_THAT(Readers(""), IsEmpty());
  EXPECT_THAT(Readers("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"}}), IsEmpty());
  EXPECT_THAT(Readers("", {{"OTEL_METRICS_EXPORTER", "none"}}), IsEmpty());
  EXPECT_THAT(Readers("", {{"OTEL_METRICS_EXPORTER", "prometheus"}}), IsEmpty());
  EXPECT_THAT(Readers("meter_provider:\n"), IsEmpty());
}

TEST(MetricReaders, DefaultsAreTheSpecifications) {
  const auto readers = Readers("", {{"OTEL_METRICS_EXPORTER", "otlp"}});
  ASSERT_THAT(readers, SizeIs(1));
  EXPECT_EQ(readers[0].interval, milliseconds(60'000));
  EXPECT_EQ(readers[0].timeout, milliseconds(30'000));
  EXPECT_EQ(readers[0].temporality, Temporality::kCumulative);
  EXPECT_FALSE(readers[0].exponential);
  EXPECT_EQ(readers[0].exporter.otlp.endpoint, "http://localhost:4318/v1/metrics");
}

TEST(MetricReaders, EndpointRules) {
  const auto endpoint = [](Environment env, const std::vector<std::string>& flags = {}) {
    env.emplace("OTEL_METRICS_EXPORTER", "otlp");
    const auto readers = Readers("", env, flags);
    return readers.empty() ? "" : readers[0].exporter.otlp.endpoint;
  };
  EXPECT_EQ(endpoint({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"}}),
            "http://h:4318/v1/metrics");
  EXPECT_EQ(endpoint({{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:4318/mine"},
                      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://ignored"}}),
            "http://h:4318/mine");
  EXPECT_EQ(endpoint({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318"}}),
            "http://localhost:4318/v1/metrics");
  EXPECT_EQ(endpoint({}, {"--otlp-endpoint", "http://h:4318/v1/traces", "--export", "otlp"}),
            "http://h:4318/v1/metrics");
  EXPECT_EQ(endpoint({}, {"--otlp-endpoint", "http://h:4317", "--export", "console"}),
            "http://h:4317");
}

TEST(MetricReaders, AnEndpointOfItsOwnAsksForThem) {
  const auto readers = Readers("", {{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:4317"},
                                    {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"}});
  ASSERT_THAT(readers, SizeIs(1));
  EXPECT_EQ(readers[0].exporter.otlp.protocol, OtlpProtocol::kGrpc);
}

TEST(MetricReaders, Variables) {
  const auto result =
      ParseFile("", {{"OTEL_METRICS_EXPORTER", "otlp,console"},
                     {"OTEL_METRIC_EXPORT_INTERVAL", "1500"},
                     {"OTEL_METRIC_EXPORT_TIMEOUT", "700"},
                     {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"},
                     {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                      "base2_exponential_bucket_histogram"},
                     {"OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=1"},
                     {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"}});
  ASSERT_TRUE(result.ok()) << result.status();
  const auto& readers = result->config.metric_readers;
  ASSERT_THAT(readers, SizeIs(2));
  EXPECT_EQ(readers[0].interval, milliseconds(1500));
  EXPECT_EQ(readers[1].timeout, milliseconds(700));
  EXPECT_EQ(readers[0].temporality, Temporality::kLowMemory);
  EXPECT_TRUE(readers[0].exponential);
  EXPECT_TRUE(readers[0].exporter.otlp.gzip);
  EXPECT_EQ(readers[0].exporter.otlp.headers.at(0).first, "a");
  EXPECT_EQ(readers[1].exporter.kind, ExporterKind::kConsole);
  EXPECT_FALSE(readers[1].exponential);
  EXPECT_TRUE(result->config.metrics.exponential) << "they are counted, then";
}

TEST(MetricReaders, OfTheFile) {
  const char* yaml = R"(meter_provider:
  readers:
    - periodic:
        interval: 5s
        timeout: 2000
        exporter:
          otlp_http:
            endpoint: https://h/mine
            encoding: json
            temporality_preference: delta
            default_histogram_aggregation: base2_exponential_bucket_histogram
)";
  const auto readers = Readers(yaml);
  ASSERT_THAT(readers, SizeIs(1));
  EXPECT_EQ(readers[0].interval, milliseconds(5000));
  EXPECT_EQ(readers[0].timeout, milliseconds(2000));
  EXPECT_EQ(readers[0].temporality, Temporality::kDelta);
  EXPECT_TRUE(readers[0].exponential);
  EXPECT_EQ(readers[0].exporter.otlp.protocol, OtlpProtocol::kHttpJson);
  EXPECT_EQ(readers[0].exporter.otlp.endpoint, "https://h/mine");
  const auto kept =
      Readers(yaml, {{"OTEL_METRICS_EXPORTER", "otlp"}, {"OTEL_METRIC_EXPORT_INTERVAL", "900"}});
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_EQ(kept[0].exporter.otlp.endpoint, "https://h/mine") << "the file's settings stay";
  EXPECT_EQ(kept[0].interval, milliseconds(900));
  EXPECT_THAT(Readers(yaml, {{"OTEL_METRICS_EXPORTER", "none"}}), IsEmpty());
}

TEST(MetricReaders, MistakesAreNamed) {
  const auto of = [](const std::string& yaml) { return Refusal(ParseFile(yaml)); };
  EXPECT_THAT(of("meter_provider: {readers: [{pull: {}}]}\n"), HasSubstr("sonde.admin.listen"));
  EXPECT_THAT(of("meter_provider: {readers: [{periodic: {exporter: {jaeger: }}}]}\n"),
              HasSubstr("expected one of otlp_http, otlp_grpc, otlp_file/development, console"));
  EXPECT_THAT(of("meter_provider: {readers: [{periodic: {every: 5, exporter: {console: }}}]}\n"),
              HasSubstr("unknown key"));
  EXPECT_THAT(of("meter_provider: {readers: [{periodic: {exporter: {otlp_http: "
                 "{temporality_preference: daily}}}}]}\n"),
              HasSubstr("expected cumulative, delta or low_memory"));
  // Variables may be meant for the applications.
  const auto warned = ParseFile("", {{"OTEL_METRICS_EXPORTER", "carbon"}});
  ASSERT_TRUE(warned.ok());
  EXPECT_THAT(warned->warnings, SizeIs(1));
}

TEST(SamplingRules, Mistakes) {
  const auto of = [](const std::string& rule) {
    return Refusal(
        ParseFile("tracer_provider: {sampler: {composite/development: {rule_based: {rules: [" +
                  rule + "]}}}}\n"));
  };
  EXPECT_EQ(of("{sampler: {always_on: }}"), "");
  EXPECT_THAT(of("{}"), HasSubstr("a rule needs a sampler"));
  EXPECT_THAT(of("{sampler: {sometimes: }}"), HasSubstr("probability"));
  EXPECT_THAT(of("{sampler: {probability: {ratio: 2}}}"), HasSubstr("a valid ratio"));
  EXPECT_THAT(of("{attribute_values: {key: a}, sampler: {always_on: }}"),
              HasSubstr("needs values"));
  EXPECT_THAT(of("{attribute_values: {values: [a]}, sampler: {always_on: }}"),
              HasSubstr("needs its key"));
  EXPECT_THAT(of("{parent: [none], sampler: {always_on: }}"), HasSubstr("parent_based.root"));
  EXPECT_THAT(of("{span_kinds: [servant], sampler: {always_on: }}"), HasSubstr("internal, server"));
  EXPECT_THAT(of("{route: /a, sampler: {always_on: }}"), HasSubstr("a rule has no route"));
}

TEST(TailSampling, TheCollectorsOwnKeys) {
  const auto result = ParseFile(R"(sonde:
  tail_sampling:
    decision_wait: 10s
    decision_wait_after_root_received: 2s
    num_traces: 100
    expected_new_traces_per_sec: 10
    sample_on_first_match: true
    drop_pending_traces_on_shutdown: true
    decision_cache: {sampled_cache_size: 100000, non_sampled_cache_size: 100000}
    policies: [{name: all, type: always_sample}]
)");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->config.tail_sampling.decision_wait_after_root, std::chrono::seconds(2));
  EXPECT_EQ(result->config.tail_sampling.expected_traces_per_second, 10U);
  EXPECT_TRUE(result->config.tail_sampling.sample_on_first_match);
  EXPECT_TRUE(result->config.tail_sampling.drop_pending_on_shutdown);
}

}  // namespace
}  // namespace sonde::config
