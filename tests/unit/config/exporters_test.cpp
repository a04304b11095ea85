// SPDX-License-Identifier: Apache-2.0
// Which exporters there are, and where OTLP goes (OTLP exporter specification).
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

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

// "PROTOCOL ENDPOINT[ insecure]" of the only exporter, or the error.
std::string Otlp(const std::vector<std::string>& flags, const Environment& env = {}) {
  const auto result = ParseFile("", env, flags);
  if (!result.ok()) return std::string(result.status().message());
  const ExporterOptions& exporter = result->config.exporters.at(0);
  if (exporter.kind != ExporterKind::kOtlp) return "not otlp";
  const char* names[] = {"grpc ", "http/protobuf ", "http/json "};
  return names[static_cast<int>(exporter.otlp.protocol)] + exporter.otlp.endpoint +
         (exporter.otlp.insecure ? " insecure" : "");
}

TEST(Exporters, DefaultIsConsoleWithoutEndpointAndOtlpWithOne) {
  EXPECT_EQ(ParseFile("")->config.exporters.at(0).kind, ExporterKind::kConsole);
  EXPECT_EQ(Otlp({}, {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"}}),
            "http/protobuf http://h:4318/v1/traces insecure");
  EXPECT_EQ(Otlp({}, {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}}), "not otlp");
  EXPECT_EQ(Otlp({"--export", "otlp"}), "http/protobuf http://localhost:4318/v1/traces insecure");
}

TEST(Exporters, EndpointRules) {
  const auto base = [](const std::string& url) {
    return Otlp({}, {{"OTEL_EXPORTER_OTLP_ENDPOINT", url}});
  };
  const auto traces = [](const std::string& url) {
    return Otlp({}, {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url},
                     {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://ignored"}});
  };
  EXPECT_EQ(base("http://h:4318/"), "http/protobuf http://h:4318/v1/traces insecure");
  EXPECT_EQ(base("https://h/otlp/"), "http/protobuf https://h/otlp/v1/traces");
  EXPECT_EQ(base("https://h:4318/v1/traces"), "http/protobuf https://h:4318/v1/traces/v1/traces");
  EXPECT_EQ(traces("http://h:4318"), "http/protobuf http://h:4318/ insecure");
  EXPECT_EQ(traces("http://h:4318/mine?x=1"), "http/protobuf http://h:4318/mine?x=1 insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://h:4318"}),
            "http/protobuf http://h:4318/v1/traces insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://h:4318/v1/traces"}),
            "http/protobuf http://h:4318/v1/traces insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://[::1]:4318"}),
            "http/protobuf http://[::1]:4318/v1/traces insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "HTTP://h"}), "http/protobuf http://h/v1/traces insecure");
}

TEST(Exporters, ProtocolIsChosenOrSeenFromThePort) {
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://h:4317"}), "grpc http://h:4317 insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://h:4317", "--otlp-protocol", "http/json"}),
            "http/json http://h:4317/v1/traces insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "https://h", "--otlp-protocol", "grpc"}),
            "grpc https://h:443");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "http://h", "--otlp-protocol", "grpc"}),
            "grpc http://h:4317 insecure");
  EXPECT_EQ(Otlp({"--export", "otlp", "--otlp-protocol", "grpc"}),
            "grpc http://localhost:4317 insecure");
  EXPECT_EQ(Otlp({"--export", "otlp"}, {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}}),
            "http/json http://localhost:4318/v1/traces insecure");
  EXPECT_EQ(Otlp({"--export", "otlp"}, {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
                                        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"}}),
            "grpc http://localhost:4317 insecure");
}

TEST(Exporters, GrpcWithoutScheme) {
  EXPECT_EQ(Otlp({"--otlp-endpoint", "localhost:4317"}), "grpc http://localhost:4317 insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "collector:4317"}), "grpc https://collector:4317");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "collector:4317"}, {{"OTEL_EXPORTER_OTLP_INSECURE", "true"}}),
            "grpc http://collector:4317 insecure");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "localhost:4317"}, {{"OTEL_EXPORTER_OTLP_INSECURE", "False"}}),
            "grpc https://localhost:4317");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "https://localhost:4317"},
                 {{"OTEL_EXPORTER_OTLP_INSECURE", "true"}}),
            "grpc https://localhost:4317");
  EXPECT_EQ(Otlp({"--otlp-endpoint", "unix:/run/otel.sock"}), "grpc unix:/run/otel.sock insecure");
}

TEST(Exporters, BadEndpoints) {
  EXPECT_EQ(Otlp({"--otlp-endpoint", "localhost:4318"}),
            "flag --otlp-endpoint: endpoint: expected http:// or https:// before the host for OTLP "
            "over HTTP, got \"localhost:4318\"");
  for (const char* url : {"http://", "http://h:0", "http://h:99999", "http://h:x", "ftp://h:4317x",
                          "http://a b", "::1", "unix:"}) {
    EXPECT_THAT(Otlp({"--otlp-endpoint", url}), HasSubstr("endpoint: expected")) << url;
  }
  EXPECT_THAT(Otlp({"--otlp-endpoint", "ftp://h"}), HasSubstr("scheme http or https"));
  EXPECT_THAT(Otlp({"--otlp-endpoint", "http://h:4317/path"}),
              HasSubstr("no path for OTLP over gRPC"));
  EXPECT_THAT(Otlp({}, {{"OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"}}),
              StartsWith("env OTEL_EXPORTER_OTLP_ENDPOINT: endpoint: expected"));
  EXPECT_THAT(Otlp({"--otlp-endpoint", "http://user:secret@h:x"}), Not(HasSubstr("secret")));
}

TEST(Exporters, TransportSettings) {
  const auto result = ParseFile("",
                                {{"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca"},
                                 {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "cert"},
                                 {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "key"},
                                 {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                 {"OTEL_EXPORTER_OTLP_TIMEOUT", "123"}},
                                {"--export", "otlp"});
  ASSERT_TRUE(result.ok()) << result.status();
  const OtlpOptions& otlp = result->config.exporters.at(0).otlp;
  EXPECT_EQ(otlp.certificate, "ca");
  EXPECT_EQ(otlp.client_certificate, "cert");
  EXPECT_EQ(otlp.client_key, "key");
  EXPECT_TRUE(otlp.gzip);
  EXPECT_EQ(otlp.timeout, Milliseconds(123));
}

TEST(Exporters, SeveralByFlag) {
  const auto result = ParseFile(
      "", {},
      {"--export", "console", "--export", "file=a=b", "--export", "file=-", "--export", "otlp"});
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<ExporterKind> kinds;
  for (const ExporterOptions& exporter : result->config.exporters) kinds.push_back(exporter.kind);
  EXPECT_THAT(kinds, ElementsAre(ExporterKind::kConsole, ExporterKind::kFile, ExporterKind::kFile,
                                 ExporterKind::kOtlp));
  EXPECT_EQ(result->config.exporters[1].target, "a=b");
  EXPECT_EQ(result->config.exporters[2].target, "-");
}

TEST(Exporters, WrongChoices) {
  const auto refusal = [](std::vector<std::string> flags) {
    return Refusal(ParseFile("", {}, std::move(flags)));
  };
  EXPECT_EQ(refusal({"--export", "jaeger"}),
            "--export: expected console, otlp, file=PATH, zipkin=URL, kafka=HOST:PORT/TOPIC or "
            "none, got \"jaeger\"");
  EXPECT_THAT(refusal({"--export", "file="}), StartsWith("--export: expected"));
  EXPECT_THAT(refusal({"--export", "otlp=http://h"}), StartsWith("--export: expected"));
  EXPECT_EQ(refusal({"--export", "none", "--export", "console"}),
            "--export: none stands alone or not at all");
  EXPECT_EQ(refusal({"--export", "console", "--export", "console"}),
            "--export: \"console\" is given twice");
  EXPECT_EQ(refusal({"--export", "console", "--otlp-endpoint", "http://h"}),
            "--otlp-endpoint: has no effect without --export otlp");
}

TEST(Exporters, UnknownNamesInOtelVariablesAreWarnings) {
  const auto result = ParseFile("", {{"OTEL_TRACES_EXPORTER", "jaeger"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->config.exporters.at(0).kind, ExporterKind::kConsole);
  EXPECT_THAT(result->warnings,
              ElementsAre("environment variable OTEL_TRACES_EXPORTER is ignored: "
                          "expected console, otlp, file=PATH, zipkin=URL, kafka=HOST:PORT/TOPIC or "
                          "none, got \"jaeger\""));
  EXPECT_THAT(Refusal(ParseFile("", {{"SONDE_EXPORT", "jaeger"}})),
              StartsWith("environment variable SONDE_EXPORT: expected"));
}

constexpr const char* kTwo =
    "tracer_provider:\n  processors:\n"
    "    - batch: {exporter: {otlp_http: {endpoint: 'http://a/v1/traces', encoding: json}}}\n"
    "    - batch: {exporter: {otlp_grpc: {endpoint: 'http://b:4317', tls: {insecure: true}}}}\n";

TEST(Exporters, OfTheFile) {
  const auto result = ParseFile(kTwo, {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://other"}});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->config.exporters.size(), 2U);
  EXPECT_EQ(result->config.exporters[0].otlp.endpoint, "http://a/v1/traces");
  EXPECT_EQ(result->config.exporters[0].otlp.protocol, OtlpProtocol::kHttpJson);
  EXPECT_EQ(result->config.exporters[1].otlp.endpoint, "http://b:4317");
  EXPECT_EQ(Refusal(ParseFile(kTwo, {}, {"--otlp-endpoint", "http://c"})),
            "--otlp-endpoint: the file has several OTLP exporters; change it there");
}

TEST(Exporters, ChoosingOtlpKeepsTheFilesSettings) {
  const char* file =
      "tracer_provider: {processors: [{batch: {exporter: {otlp_grpc: {endpoint: "
      "'http://b:1'}}}}]}\n";
  EXPECT_EQ(ParseFile(file, {}, {"--export", "otlp"})->config.exporters.at(0).otlp.endpoint,
            "http://b:1");
  const auto variable = ParseFile(file, {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}});
  EXPECT_EQ(variable->config.exporters.at(0).otlp.protocol, OtlpProtocol::kGrpc);
  EXPECT_EQ(variable->warnings.size(), 1U);
  EXPECT_THAT(ParseFile(file)->warnings, IsEmpty());
}

TEST(Exporters, Zipkin) {
  const auto target = [](std::vector<std::string> flags, const Environment& env,
                         const std::string& file = "") {
    const auto result = ParseFile(file, env, std::move(flags));
    return result.ok() ? result->config.exporters.at(0).target
                       : std::string(result.status().message());
  };
  const Environment env{{"OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://env:9411"}};
  const std::string file =
      "tracer_provider: {processors: [{batch: {exporter: {zipkin: {endpoint: 'http://f'}}}}]}\n";
  EXPECT_EQ(target({"--export", "zipkin=https://z:1/p"}, env), "https://z:1/p");
  EXPECT_EQ(target({"--export", "zipkin"}, env), "http://env:9411");
  EXPECT_EQ(target({"--export", "zipkin"}, {}), "http://localhost:9411/api/v2/spans");
  EXPECT_EQ(target({"--export", "zipkin"}, {}, file), "http://f");
  EXPECT_EQ(target({}, {}, file), "http://f");
  EXPECT_EQ(target({}, env, file), "http://env:9411");
  EXPECT_THAT(target({"--export", "zipkin=ftp://x"}, {}), StartsWith("--export: expected"));
}

TEST(Exporters, Kafka) {
  const auto kafka = [](std::vector<std::string> flags, const std::string& file = "") {
    const auto result = ParseFile(file, {}, std::move(flags));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->config.exporters.at(0).kafka : KafkaOptions{};
  };
  const KafkaOptions plain = kafka({"--export", "kafka"});
  EXPECT_THAT(plain.brokers, ElementsAre("localhost:9092"));
  EXPECT_EQ(plain.topic, "otlp_spans");
  const KafkaOptions given = kafka({"--export", "kafka=a:1,[::1]:2,c/t.x_y-1"});
  EXPECT_THAT(given.brokers, ElementsAre("a:1", "[::1]:2", "c"));
  EXPECT_EQ(given.topic, "t.x_y-1");
  EXPECT_EQ(kafka({"--export", "kafka=a"}).topic, "otlp_spans");
  const std::string file =
      "tracer_provider: {processors: [{batch: {exporter: {kafka: {brokers: [b:1, 'c:2'], topic: t, "
      "properties: {security.protocol: ssl, retries: 3}}}}}]}\n";
  const KafkaOptions of_file = kafka({}, file);
  EXPECT_THAT(of_file.brokers, ElementsAre("b:1", "c:2"));
  EXPECT_EQ(of_file.topic, "t");
  EXPECT_THAT(of_file.properties,
              ElementsAre(Pair("security.protocol", "ssl"), Pair("retries", "3")));
  // The flag chooses where; how to get there stays.
  const KafkaOptions both = kafka({"--export", "kafka=d"}, file);
  EXPECT_THAT(both.brokers, ElementsAre("d"));
  EXPECT_EQ(both.topic, "t");
  EXPECT_EQ(both.properties, of_file.properties);
  EXPECT_EQ(ParseFile("", {}, {"--export", "kafka=a/t", "--export", "kafka=a/u"})
                ->config.exporters.size(),
            2U);
}

TEST(Exporters, KafkaIsChecked) {
  for (const char* wrong :
       {"kafka=", "kafka=:1", "kafka=a:x", "kafka=a:0", "kafka=a:65536", "kafka=a/", "kafka=a/b/c",
        "kafka=a/ü", "kafka=[]:1", "kafka=a,,b", "kafka=http://a"}) {
    EXPECT_THAT(Refusal(ParseFile("", {}, {"--export", wrong})), StartsWith("--export: expected"))
        << wrong;
  }
  EXPECT_EQ(Refusal(ParseFile("", {}, {"--export", "kafka=a/t", "--export", "kafka=a/t"})),
            "--export: \"kafka=a/t\" is given twice");
  const auto of = [](const std::string& keys) {
    return Refusal(ParseFile("tracer_provider: {processors: [{batch: {exporter: {kafka: {" + keys +
                             "}}}}]}\n"));
  };
  EXPECT_THAT(of("brokers: a"), HasSubstr("brokers: expected a list, each HOST or HOST:PORT"));
  EXPECT_THAT(of("brokers: [a b]"), HasSubstr("brokers: expected HOST or HOST:PORT"));
  EXPECT_THAT(of("topic: a/b"), HasSubstr("topic: expected the name of a topic"));
  EXPECT_THAT(of("properties: [a]"), HasSubstr("properties: expected a map"));
  EXPECT_THAT(of("properties: {a: [b]}"), HasSubstr("expected the value of a to be text"));
}

TEST(Exporters, FileNames) {
  const auto target = [](const std::string& stream) {
    const auto result = ParseFile(
        "tracer_provider: {processors: [{batch: {exporter: {otlp_file/development: {output_stream: "
        "'" +
        stream + "'}}}}]}\n");
    return result.ok() ? result->config.exporters.at(0).target : "error";
  };
  EXPECT_EQ(target("stdout"), "-");
  EXPECT_EQ(target("file:///var/x.jsonl"), "/var/x.jsonl");
  EXPECT_EQ(target("x.jsonl"), "x.jsonl");
  EXPECT_EQ(target("file://host/x"), "error");
}

}  // namespace
}  // namespace sonde::config
