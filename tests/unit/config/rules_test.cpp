// SPDX-License-Identifier: Apache-2.0
// sonde.discovery.include[] and exclude[]: rules, each with selectors and settings of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "config/invocation.h"
#include "config/yaml_reader.h"
#include "parse_helper.h"
#include "schema_check.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kRules = R"(tracer_provider:
  processors:
    - batch: {exporter: {otlp_grpc: {endpoint: "http://a:4317"}}}
    - batch: {exporter: {otlp_grpc: {endpoint: "http://b:4317"}}}
    - batch: {exporter: {console: }}
sonde:
  redaction: {request_headers: [x-tenant], response_headers: [x-cache], baggage_keys: [user]}
  discovery:
    include:
      - exe: ["*/nginx", "*/apache2"]
        port: 80
        service_name: front
        sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.25}}}}
        exporters: [otlp/2, console]
      - {container-label: team=shop, exporters: [], request_headers: [X-Shop], baggage_keys: []}
      - all: true
    exclude:
      - {exe: "*/curl", env: [QUIET=1, SILENT]}
      - cgroup: /system.slice/*
)";

TEST(RulesTest, EachHasSelectorsAndSettings) {
  const auto result = ParseFile(kRules);
  ASSERT_TRUE(result.ok()) << result.status();
  const DiscoveryOptions& discovery = result->config.discovery;
  EXPECT_THAT(discovery.include, IsEmpty());
  ASSERT_THAT(discovery.rules, SizeIs(3));
  const DiscoveryRule& front = discovery.rules[0];
  ASSERT_THAT(front.selectors, SizeIs(3));
  EXPECT_EQ(front.selectors[1].pattern, "*/apache2");
  EXPECT_EQ(front.selectors[2].kind, SelectorKind::kPort);
  EXPECT_EQ(front.settings->service_name, "front");
  ASSERT_TRUE(front.settings->sampler);
  EXPECT_EQ(front.settings->sampler->root.kind, "trace_id_ratio_based");
  EXPECT_EQ(front.settings->sampler->root.ratio, 0.25);
  EXPECT_THAT(front.settings->exporters, testing::Optional(ElementsAre("otlp/2", "console")));
  ASSERT_THAT(front.settings->ports, SizeIs(1));
  EXPECT_EQ(front.settings->ports[0].first, 80);
  const DiscoveryRule& shop = discovery.rules[1];
  EXPECT_EQ(shop.settings->service_name, "");
  EXPECT_FALSE(shop.settings->sampler);
  EXPECT_THAT(shop.settings->exporters, testing::Optional(IsEmpty()));
  EXPECT_THAT(shop.settings->ports, IsEmpty());
  EXPECT_FALSE(discovery.rules[2].settings->exporters);
  ASSERT_THAT(discovery.exclude_rules, SizeIs(2));
  EXPECT_THAT(discovery.exclude_rules[0], SizeIs(3));
  EXPECT_THAT(discovery.exclude_rules[1], SizeIs(1));
  // A label by which something is chosen shows in its resource; ports only bind the kernel if every
  // rule has some.
  EXPECT_THAT(result->config.resource.container_labels, testing::Contains("team"));
  EXPECT_THAT(result->config.capture.ports, IsEmpty());
}

TEST(RulesTest, WhatARuleDoesNotSayOfRedactionIsAsForAll) {
  const auto result = ParseFile(kRules);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto& rules = result->config.discovery.rules;
  EXPECT_FALSE(rules[0].settings->redaction);
  ASSERT_TRUE(rules[1].settings->redaction);
  const RedactionOptions& shop = *rules[1].settings->redaction;
  EXPECT_THAT(shop.request_headers, ElementsAre("x-shop"));
  EXPECT_THAT(shop.response_headers, ElementsAre("x-cache"));
  EXPECT_THAT(shop.baggage_keys, IsEmpty());
}

TEST(RulesTest, BaggageThatIsNotReadIsNotAllowed) {
  const auto result = ParseFile(
      "propagator: {composite: [{tracecontext: }]}\n"
      "sonde:\n  redaction: {baggage_keys: [user]}\n"
      "  discovery: {include: [{exe: x, baggage_keys: [tenant]}]}\n");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->config.redaction.baggage_keys, IsEmpty());
  EXPECT_THAT(result->config.discovery.rules[0].settings->redaction->baggage_keys, IsEmpty());
}

TEST(RulesTest, PortsOfAllRulesGoToTheKernel) {
  const auto result =
      ParseFile("sonde: {discovery: {include: [{port: 80}, {port: [90-99, 7], exe: x}]}}");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_THAT(result->config.capture.ports, SizeIs(3));
  EXPECT_EQ(result->config.capture.ports[1].last, 99);
}

TEST(RulesTest, MistakesAreNamedWithTheirRule) {
  const auto of = [](const std::string& list) {
    return Refusal(ParseFile("sonde:\n  discovery:\n    include:\n" + list));
  };
  EXPECT_THAT(of("      - {service_name: shop}\n"),
              HasSubstr("F:4: sonde.discovery.include[0]: expected at least one selector"));
  EXPECT_THAT(of("      - {exe: x}\n      - {port: 99999}\n"),
              HasSubstr("F:5: sonde.discovery.include[1].port: expected a port"));
  EXPECT_THAT(of("      - {exe: x, servicename: y}\n"),
              HasSubstr("sonde.discovery.include[0].servicename: unknown key; did you mean "
                        "service_name?"));
  EXPECT_THAT(of("      - {exe: x, exporters: [otlp]}\n"),
              HasSubstr("expected some of console, got \"otlp\""));
  EXPECT_THAT(of("      - {exe: x, sampler: {sometimes: }}\n"), HasSubstr("include[0].sampler"));
  EXPECT_THAT(of("      - nginx\n"), HasSubstr("include[0]: expected a rule with selectors"));
  EXPECT_THAT(of("      nginx\n"), HasSubstr("expected a map of selectors, or a list of rules"));
  EXPECT_THAT(Refusal(ParseFile("sonde: {discovery: {exclude: [{exe: x, service_name: y}]}}")),
              HasSubstr("sonde.discovery.exclude[0].service_name: unknown key"));
}

TEST(RulesTest, PrintGivesThemBackAndTheSchemaKnowsThem) {
  const auto schema = nlohmann::json::parse(Parse({"config", "schema"})->text);
  const auto document = ReadYaml(kRules, "F", {});
  ASSERT_TRUE(document.ok());
  EXPECT_THAT(CheckSchema(schema, ToJson(*document)), IsEmpty());
  const auto wrong = ReadYaml("sonde: {discovery: {include: [{exe: x, color: y}]}}", "F", {});
  EXPECT_THAT(CheckSchema(schema, ToJson(*wrong)), testing::Not(IsEmpty()));

  const TempFile file(kRules);
  const auto printed = Parse({"config", "print", "--config", file.path()});
  ASSERT_TRUE(printed.ok()) << printed.status();
  const auto again = ParseFile(printed->text);
  ASSERT_TRUE(again.ok()) << again.status() << printed->text;
  const auto& rules = again->config.discovery.rules;
  ASSERT_THAT(rules, SizeIs(3)) << printed->text;
  EXPECT_EQ(rules[0].settings->service_name, "front");
  EXPECT_EQ(rules[0].settings->sampler->root.ratio, 0.25);
  EXPECT_THAT(rules[1].settings->exporters, testing::Optional(IsEmpty()));
  EXPECT_FALSE(rules[2].settings->sampler);
  EXPECT_THAT(rules[1].settings->redaction->request_headers, ElementsAre("x-shop"));
  EXPECT_THAT(rules[1].settings->redaction->response_headers, ElementsAre("x-cache"));
  EXPECT_THAT(again->config.discovery.exclude_rules, SizeIs(2));
}

TEST(RulesTest, ASelectorOnTheCommandLineReplacesThemAll) {
  const TempFile file(kRules);
  const auto result = Parse({"run", "--config", file.path(), "--pid", "7"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->config.discovery.rules, IsEmpty());
  EXPECT_THAT(result->config.discovery.include, SizeIs(1));
  EXPECT_THAT(result->config.discovery.exclude_rules, SizeIs(2));
  const auto child = Parse({"run", "--config", file.path(), "--", "true"});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_THAT(child->config.discovery.rules, IsEmpty());
  const auto rules_are_enough = Parse({"run", "--config", file.path()});
  EXPECT_TRUE(rules_are_enough.ok()) << rules_are_enough.status();
}

}  // namespace
}  // namespace sonde::config
