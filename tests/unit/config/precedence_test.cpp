// SPDX-License-Identifier: Apache-2.0
// Flag before environment before file before default, for every kind of value; and where a value
// says it comes from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/environment.h"
#include "config/invocation.h"
#include "parse_helper.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

struct Case {
  std::string name;
  std::string file;
  Environment env;
  std::vector<std::string> flags;
  std::string (*value)(const Config&);
  std::vector<std::string> expected;  // default, file, env, flag
};

std::string Number(auto value) { return std::to_string(value); }

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases{
      {"log_level",
       "log_level: debug\n",
       {{"OTEL_LOG_LEVEL", "warn"}},
       {"--log-level", "error"},
       [](const Config& c) { return Number(static_cast<int>(c.log.level)); },
       {"2", "1", "3", "4"}},
      {"listen",
       "sonde: {admin: {listen: 'a:1'}}\n",
       {{"SONDE_LISTEN", "b:2"}},
       {"--listen", "off"},
       [](const Config& c) { return c.admin.listen + (c.admin.chosen ? " chosen" : ""); },
       {"127.0.0.1:9464", "a:1 chosen", "b:2 chosen", "off chosen"}},
      {"shutdown",
       "sonde: {shutdown_timeout: 1s}\n",
       {{"SONDE_SHUTDOWN_TIMEOUT", "2s"}},
       {"--shutdown-timeout", "3s"},
       [](const Config& c) { return Number(c.shutdown_timeout.count()); },
       {"5000", "1000", "2000", "3000"}},
      {"service",
       "resource: {attributes: [{name: service.name, value: f}]}\n",
       {{"OTEL_SERVICE_NAME", "e"}},
       {"--service-name", "g"},
       [](const Config& c) { return c.resource.service_name; },
       {"", "f", "e", "g"}},
      {"probes",
       "sonde: {capture: {probes: [f]}}\n",
       {{"SONDE_PROBES", "e,e2"}},
       {"--probes", "g"},
       [](const Config& c) { return testing::PrintToString(c.capture.probes); },
       {"{}", "{ \"f\" }", "{ \"e\", \"e2\" }", "{ \"g\" }"}},
      {"console",
       "sonde: {console: {format: line}}\n",
       {{"SONDE_CONSOLE_FORMAT", "json"}},
       {"--console-format", "tree"},
       [](const Config& c) { return Number(static_cast<int>(c.exporters.at(0).console_format)); },
       {"0", "1", "2", "0"}},
      {"exporter",
       "tracer_provider: {processors: [{batch: {exporter: {otlp_file/development: }}}]}\n",
       {{"OTEL_TRACES_EXPORTER", "otlp"}},
       {"--export", "none"},
       [](const Config& c) { return Number(static_cast<int>(c.exporters.at(0).kind)); },
       {"0", "2", "1", "5"}},
  };
  return cases;
}

TEST(Precedence, FlagEnvironmentFileDefault) {
  for (const Case& c : Cases()) {
    for (int mask = 0; mask < 8; ++mask) {
      const bool file = (mask & 1) != 0;
      const bool env = (mask & 2) != 0;
      const bool flag = (mask & 4) != 0;
      const auto result = ParseFile(file ? c.file : "", env ? c.env : Environment{},
                                    flag ? c.flags : std::vector<std::string>{});
      ASSERT_TRUE(result.ok()) << c.name << " " << result.status();
      const size_t winner = flag ? 3 : env ? 2 : file ? 1 : 0;
      EXPECT_EQ(c.value(result->config), c.expected.at(winner)) << c.name << " " << mask;
    }
  }
}

TEST(Precedence, OtlpSettingsMergeKeyByKey) {
  const char* file =
      "tracer_provider:\n  processors:\n    - batch:\n        exporter:\n          otlp_http:\n"
      "            endpoint: http://file:4318/v1/traces\n            timeout: 1000\n"
      "            compression: gzip\n            headers: [{name: a, value: f}, {name: b, value: "
      "f}]\n";
  const Environment env{{"OTEL_EXPORTER_OTLP_TIMEOUT", "2000"},
                        {"OTEL_EXPORTER_OTLP_HEADERS", "b=e,c=e%20e"}};
  const auto result = ParseFile(file, env, {"--otlp-header", "c=g=h"});
  ASSERT_TRUE(result.ok()) << result.status();
  const OtlpOptions& otlp = result->config.exporters.at(0).otlp;
  EXPECT_EQ(otlp.endpoint, "http://file:4318/v1/traces");
  EXPECT_EQ(otlp.timeout, Milliseconds(2000));
  EXPECT_TRUE(otlp.gzip);
  EXPECT_THAT(otlp.headers, ElementsAre(Pair("a", "f"), Pair("b", "e"), Pair("c", "g=h")));
}

TEST(Precedence, ResourceAttributesMergeByName) {
  const char* file =
      "resource:\n  attributes_list: a=list,b=list\n  attributes:\n"
      "    - {name: b, value: file}\n    - {name: c, value: 3}\n";
  const auto result =
      ParseFile(file, {{"OTEL_RESOURCE_ATTRIBUTES", "c=env,d=x%2Cy,service.name=r"}},
                {"--resource", "d=flag"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->config.resource.attributes,
              UnorderedElementsAre(Pair("a", "list"), Pair("b", "file"), Pair("c", "env"),
                                   Pair("d", "flag")));
  EXPECT_EQ(result->config.resource.service_name, "r");
}

TEST(Precedence, ServiceNameVariableBeatsTheAttribute) {
  const Environment env{{"OTEL_RESOURCE_ATTRIBUTES", "service.name=attribute"},
                        {"OTEL_SERVICE_NAME", "variable"}};
  EXPECT_EQ(ParseFile("", env)->config.resource.service_name, "variable");
  EXPECT_EQ(ParseFile("", env, {"--resource", "service.name=flag"})->config.resource.service_name,
            "flag");
}

TEST(Precedence, ASelectorFlagReplacesAllOfTheFile) {
  const char* file = "sonde: {discovery: {include: {exe: x, port: 80}, exclude: {exe: y}}}\n";
  const auto with = ParseFile(file, {}, {"--pid", "7", "--exclude", "exe=z"});
  ASSERT_EQ(with->config.discovery.include.size(), 1U);
  EXPECT_EQ(with->config.discovery.include[0].kind, SelectorKind::kPid);
  EXPECT_TRUE(with->config.capture.ports.empty());
  EXPECT_EQ(with->config.discovery.exclude.size(), 2U);
  EXPECT_EQ(ParseFile(file)->config.discovery.include.size(), 2U);
}

TEST(Precedence, ConfigFlagBeforeVariable) {
  const TempFile a("log_level: debug\n");
  const TempFile b("log_level: error\n");
  EXPECT_EQ(Parse({"config", "check"}, {{"SONDE_CONFIG", a.path()}})->config.log.level,
            LogLevel::kDebug);
  EXPECT_EQ(Parse({"config", "check", "--config", b.path()}, {{"SONDE_CONFIG", a.path()}})
                ->config.log.level,
            LogLevel::kError);
}

TEST(Precedence, PrintNamesTheOrigin) {
  const TempFile file("\nlog_level: debug\nsonde:\n  linking:\n    hold: 2s\n");
  const auto print =
      Parse({"config", "print", "--config", file.path(), "--listen", "off", "--service-name", "s",
             "--otlp-endpoint", "http://h", "--export", "otlp", "--export", "console"},
            {{"OTEL_BSP_SCHEDULE_DELAY", "77"}, {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "5"}});
  ASSERT_TRUE(print.ok()) << print.status();
  for (const std::string& line :
       {"log_level: debug  # file " + file.path() + ":2\n",
        "    hold: 2s  # file " + file.path() + ":5\n",
        std::string("    held_spans: 20000  # default\n"),
        std::string("    listen: \"off\"  # flag --listen\n"),
        std::string("      value: \"s\"  # flag --service-name\n"),
        std::string("        schedule_delay: 77  # env OTEL_BSP_SCHEDULE_DELAY\n"),
        std::string("            timeout: 5  # env OTEL_EXPORTER_OTLP_TRACES_TIMEOUT\n"),
        std::string("            endpoint: \"http://h/v1/traces\"  # flag --otlp-endpoint\n"),
        std::string("          console: {}  # flag --export\n")}) {
    EXPECT_THAT(print->text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace sonde::config
