// SPDX-License-Identifier: Apache-2.0
// `config print` is a file that gives the same configuration, and satisfies `config schema`; so
// does the example.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/environment.h"
#include "config/invocation.h"
#include "config/yaml_reader.h"
#include "parse_helper.h"
#include "schema_check.h"

namespace sonde::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::filesystem::path Reference() {
  return std::filesystem::path(SONDE_FIXTURES).parent_path().parent_path() / "docs" / "reference";
}

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Print(std::vector<std::string> flags, const Environment& env = {}) {
  flags.insert(flags.begin(), {"config", "print"});
  const auto result = Parse(std::move(flags), env);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->text : "";
}

// The values without their origins.
std::string Bare(const std::string& yaml) {
  std::string out;
  size_t start = 0;
  while (start < yaml.size()) {
    const size_t end = yaml.find('\n', start);
    const std::string line = yaml.substr(start, end - start);
    out += line.substr(0, line.rfind("  # ")) + "\n";
    start = end + 1;
  }
  return out;
}

std::vector<std::string> SchemaFindings(const std::string& yaml) {
  const auto schema = nlohmann::json::parse(Parse({"config", "schema"})->text);
  const auto document = ReadYaml(yaml, "F", {});
  EXPECT_TRUE(document.ok()) << document.status();
  return CheckSchema(schema, ToJson(*document));
}

const std::vector<std::vector<std::string>>& Invocations() {
  static const std::vector<std::vector<std::string>> all{
      {},
      {"--export", "none"},
      {"--export", "kafka"},
      {"--export", "kafka=a:1,b/t"},
      {"--export", "zipkin=http://z:9411", "--export", "console", "--export", "file=/a b$c",
       "--export", "file=rel", "--export", "file=-"},
      {"--otlp-endpoint", "localhost:4317", "--resource", "a=b ${c} \"d\"", "--service-name",
       "x: y"},
      {"--otlp-endpoint", "https://h:4318/p", "--otlp-protocol", "http/json"},
      {"--pid", "1", "--port", "80", "--port", "90-99", "--exe", "*/a", "--cmdline", "a$|\\d+",
       "--cgroup", "/x", "--env", "K=V", "--all", "--exclude", "env=$A"},
      {"--probes", "a,b", "--no-probes", "c", "--listen", "[::1]:80", "--log-level", "trace",
       "--log-format", "json", "--console-format", "line", "--shutdown-timeout", "0ms"},
  };
  return all;
}

TEST(Print, IsReadBackToTheSame) {
  for (const auto& flags : Invocations()) {
    const std::string first = Print(flags);
    const TempFile file(first);
    EXPECT_EQ(Bare(Print({"--config", file.path()})), Bare(first)) << testing::PrintToString(flags);
  }
}

TEST(Print, EnvironmentIsReadBackToTheSame) {
  const std::string first = Print({}, {{"OTEL_TRACES_SAMPLER", "traceidratio"},
                                       {"OTEL_TRACES_SAMPLER_ARG", "0.1"},
                                       {"OTEL_PROPAGATORS", "none"},
                                       {"OTEL_BSP_SCHEDULE_DELAY", "5"},
                                       {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"},
                                       {"OTEL_EXPORTER_OTLP_TIMEOUT", "7"}});
  EXPECT_THAT(first, HasSubstr("ratio: 0.1  # env OTEL_TRACES_SAMPLER\n"));
  const TempFile file(first);
  EXPECT_EQ(Bare(Print({"--config", file.path()})), Bare(first));
}

TEST(Print, MeterProviderAndRulesAreReadBackToTheSame) {
  const TempFile given(R"(tracer_provider:
  sampler:
    parent_based:
      root:
        composite/development:
          rule_based:
            rules:
              - attribute_values: {key: http.route, values: [/healthz]}
                sampler: {always_off: }
              - attribute_patterns: {key: url.path, included: ["/a*"], excluded: ["/ab*"]}
                span_kinds: [server]
                sampler: {probability: {ratio: 0.25}}
              - sampler: {rate_limiting: {traces_per_second: 5}}
meter_provider:
  readers:
    - periodic:
        interval: 5000
        exporter:
          otlp_grpc: {endpoint: "http://h:4317", temporality_preference: low_memory}
    - periodic:
        timeout: 2000
        exporter:
          otlp_file/development:
            output_stream: file:///tmp/m.json
            default_histogram_aggregation: base2_exponential_bucket_histogram
    - periodic: {exporter: {console: }}
)");
  const std::string first = Print({"--config", given.path()});
  EXPECT_THAT(first, HasSubstr("ratio: 0.25"));
  EXPECT_THAT(first, HasSubstr("temporality_preference: low_memory"));
  EXPECT_THAT(SchemaFindings(first), IsEmpty());
  const TempFile file(first);
  EXPECT_EQ(Bare(Print({"--config", file.path()})), Bare(first));
}

TEST(Print, SecretsAreMasked) {
  const std::string text =
      Print({"--otlp-endpoint", "http://user:s3cret@h", "--otlp-header", "authorization=s3cret"});
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("name: \"authorization\""));
  EXPECT_THAT(text, HasSubstr("http://*****@h"));
}

TEST(Print, PropertiesOfKafkaAreMasked) {
  const TempFile given(
      "file_format: \"1.0\"\ntracer_provider: {processors: [{batch: {exporter: {kafka: {brokers: "
      "[a:1], properties: {sasl.password: s3cret}}}}}]}\n");
  const std::string text = Print({"--config", given.path()});
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("sasl.password: \"*****\""));
  EXPECT_THAT(SchemaFindings(text), IsEmpty());
}

TEST(Schema, AdmitsWhatIsPrinted) {
  for (const auto& flags : Invocations()) {
    EXPECT_THAT(SchemaFindings(Print(flags)), IsEmpty()) << testing::PrintToString(flags);
  }
}

TEST(Schema, RefusesWhatTheReaderRefuses) {
  for (const char* yaml :
       {"log_levle: info\n",
        "log_level: loud\n",
        "sonde: 5\n",
        "sonde: {limits: {conections: 5}}\n",
        "sonde: {limits: {connections: 3}}\n",
        "sonde: {limits: {connections: many}}\n",
        "sonde: {linking: {hold: 5 s}}\n",
        "sonde: {capture: {probes: one}}\n",
        "sonde: {routes: {patterns: [users]}}\n",
        "sonde: {discovery: {include: {port: 80x}}}\n",
        "file_format: \"2.0\"\n",
        "resource: {attributes: [{name: a}]}\n",
        "tracer_provider: {sampler: {sometimes: }}\n",
        "tracer_provider: {sampler: {trace_id_ratio_based: {ratio: 2}}}\n",
        "tracer_provider: {processors: [{batch: {exporter: {otlp: }}}]}\n",
        "tracer_provider: {processors: [{batch: {}}]}\n",
        "tracer_provider: {processors: [{batch: {exporter: {otlp_http: {tls: {ca: x}}}}}]}\n",
        "propagator: {composite: [b4]}\n",
        "meter_provider: {views: []}\n",
        "meter_provider: {readers: [{periodic: {}}]}\n",
        "meter_provider: {readers: [{periodic: {exporter: {zipkin: }}}]}\n",
        "meter_provider: {readers: [{periodic: {exporter: {console: {endpoint: x}}}}]}\n",
        "tracer_provider: {sampler: {composite/development: {}}}\n",
        "tracer_provider: {sampler: {composite/development: {rule_based: {rules: [{}]}}}}\n"}) {
    EXPECT_FALSE(SchemaFindings(yaml).empty()) << yaml;
    const TempFile file(yaml);
    EXPECT_NE(RefusalOf({"config", "check", "--config", file.path()}), "") << yaml;
  }
}

TEST(Example, IsValidAndFitsTheSchema) {
  const auto path = Reference() / "sonde.yaml";
  const auto check = Parse({"config", "check", "--config", path.string()});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_THAT(check->warnings, IsEmpty());
  EXPECT_THAT(SchemaFindings(ReadText(path)), IsEmpty());
}

// The same judged by another implementation, where it is installed.
TEST(Schema, PythonJsonschemaAgrees) {
  if (std::system("python3 -c 'import jsonschema' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
  const TempFile schema(Parse({"config", "schema"})->text);
  for (const auto& flags : Invocations()) {
    const auto document = ReadYaml(Print(flags), "F", {});
    ASSERT_TRUE(document.ok());
    const TempFile json(ToJson(*document).dump());
    const std::string program =
        "import json,sys,jsonschema as j\n"
        "s,d=[json.load(open(f)) for f in sys.argv[1:]]\n"
        "j.Draft202012Validator.check_schema(s)\n"
        "sys.exit(len(list(j.Draft202012Validator(s).iter_errors(d))))\n";
    const TempFile script(program);
    EXPECT_EQ(
        std::system(("python3 " + script.path() + " " + schema.path() + " " + json.path()).c_str()),
        0)
        << testing::PrintToString(flags);
  }
}

}  // namespace
}  // namespace sonde::config
