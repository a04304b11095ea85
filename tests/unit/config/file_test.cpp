// SPDX-License-Identifier: Apache-2.0
// The YAML file: every key arrives, and every mistake is named with file, line, key and what was
// expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/invocation.h"
#include "parse_helper.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Of(const std::string& yaml) { return Refusal(ParseFile(yaml)); }

constexpr const char* kEverything = R"(file_format: "1.0"
log_level: warn
resource:
  attributes:
    - {name: service.name, value: shop, type: string}
    - {name: team, value: payments}
attribute_limits:
  attribute_value_length_limit: 100
  attribute_count_limit: 10
propagator:
  composite: [{baggage: }, tracecontext]
tracer_provider:
  sampler:
    parent_based:
      root: {trace_id_ratio_based: {ratio: 0.125}}
      remote_parent_sampled: {always_on: }
      local_parent_not_sampled: {always_off: {}}
  processors:
    - batch:
        schedule_delay: 100
        export_timeout: 2s
        max_queue_size: 1000
        max_export_batch_size: 50
        exporter:
          otlp_grpc:
            endpoint: https://collector:4317
            tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem}
            headers_list: "a=1,b=2"
            headers: [{name: b, value: three}]
            compression: gzip
            timeout: 1500
    - simple:
        exporter: {console: }
sonde:
  discovery:
    include: {exe: ["*/a", "*/b"], port: [80, 90-99], cmdline: x+, pid: 5, cgroup: /a, env: A}
    exclude: {exe: "*/c"}
  capture: {probes: [one], no_probes: [two], ring_size: 4MiB}
  limits:
    connection_memory: 64KiB
    total_connection_memory: 1MiB
    connections: 500
    head_size: 32KiB
    exchange_timeout: 1m
  linking: {hold: 250ms, held_spans: 7}
  routes: {patterns: ["/users/{id}"], max_per_service: 9}
  redaction: {request_headers: [X-Request-Id], response_headers: [Server], query_keys: [Pin]}
  admin: {listen: "0.0.0.0:9000"}
  console: {format: line}
  log: {format: json}
  shutdown_timeout: 1s
)";

TEST(File, OpenTelemetryKeysArrive) {
  const auto result = ParseFile(kEverything);
  ASSERT_TRUE(result.ok()) << result.status();
  const Config& c = result->config;
  EXPECT_EQ(c.log.level, LogLevel::kWarn);
  EXPECT_EQ(c.resource.service_name, "shop");
  EXPECT_THAT(c.resource.attributes, ElementsAre(Pair("team", "payments")));
  EXPECT_EQ(c.attribute_limits.value_length, 100U);
  EXPECT_EQ(c.attribute_limits.count, 10U);
  EXPECT_THAT(c.linking.propagators, ElementsAre("baggage", "tracecontext"));
  EXPECT_EQ(c.sampler.root.kind, "trace_id_ratio_based");
  EXPECT_TRUE(c.sampler.parent_based);
  EXPECT_DOUBLE_EQ(c.sampler.root.ratio, 0.125);
}

TEST(File, ProcessorsArrive) {
  const char* same = "    - simple:\n        exporter: {console: }\n";
  std::string yaml = kEverything;
  yaml.replace(yaml.find(same), std::string(same).size(), "");
  const auto result = ParseFile(yaml);
  ASSERT_TRUE(result.ok()) << result.status();
  const Config& c = result->config;
  EXPECT_EQ(c.batch.schedule_delay, Milliseconds(100));
  EXPECT_EQ(c.batch.export_timeout, Milliseconds(2000));
  EXPECT_EQ(c.batch.max_queue_size, 1000U);
  EXPECT_EQ(c.batch.max_export_batch_size, 50U);
  ASSERT_EQ(c.exporters.size(), 1U);
  const OtlpOptions& otlp = c.exporters[0].otlp;
  EXPECT_EQ(otlp.protocol, OtlpProtocol::kGrpc);
  EXPECT_EQ(otlp.endpoint, "https://collector:4317");
  EXPECT_FALSE(otlp.insecure);
  EXPECT_EQ(otlp.certificate, "/ca.pem");
  EXPECT_EQ(otlp.client_certificate, "/c.pem");
  EXPECT_EQ(otlp.client_key, "/k.pem");
  EXPECT_THAT(otlp.headers, ElementsAre(Pair("a", "1"), Pair("b", "three")));
  EXPECT_TRUE(otlp.gzip);
  EXPECT_EQ(otlp.timeout, Milliseconds(1500));
}

TEST(File, OwnKeysArrive) {
  const auto result = ParseFile(kEverything);
  ASSERT_TRUE(result.ok()) << result.status();
  const Config& c = result->config;
  EXPECT_EQ(c.discovery.include.size(), 8U);
  EXPECT_EQ(c.discovery.exclude.size(), 1U);
  EXPECT_EQ(c.capture.ports.size(), 2U);
  EXPECT_THAT(c.capture.probes, ElementsAre("one"));
  EXPECT_THAT(c.capture.no_probes, ElementsAre("two"));
  EXPECT_EQ(c.capture.ring_bytes, 4U << 20);
  EXPECT_EQ(c.limits.connection_bytes, 64U << 10);
  EXPECT_EQ(c.limits.total_connection_bytes, 1U << 20);
  EXPECT_EQ(c.limits.max_connections, 500U);
  EXPECT_EQ(c.limits.max_head_bytes, 32U << 10);
  EXPECT_EQ(c.limits.exchange_timeout, Milliseconds(60'000));
  EXPECT_EQ(c.linking.hold, Milliseconds(250));
  EXPECT_EQ(c.linking.max_held_spans, 7U);
  EXPECT_THAT(c.routes.patterns, ElementsAre("/users/{id}"));
  EXPECT_EQ(c.routes.max_per_service, 9U);
  EXPECT_THAT(c.redaction.request_headers, ElementsAre("x-request-id"));
  EXPECT_THAT(c.redaction.response_headers, ElementsAre("server"));
  EXPECT_THAT(c.redaction.query_keys, ElementsAre("pin"));
  EXPECT_EQ(c.admin.listen, "0.0.0.0:9000");
  EXPECT_TRUE(c.log.json);
  EXPECT_EQ(c.shutdown_timeout, Milliseconds(1000));
  EXPECT_EQ(c.exporters.at(1).console_format, ConsoleFormat::kLine);
}

TEST(File, NothingInItIsTheDefault) {
  EXPECT_EQ(Of(""), "");
  EXPECT_EQ(Of("# only a comment\n"), "");
  EXPECT_EQ(Of("sonde:\ntracer_provider:\n  sampler:\n  processors:\nlog_level:\n"), "");
  EXPECT_EQ(Of("- a\n"), "F:1: expected a map, got a list");
}

TEST(File, UnknownKeys) {
  EXPECT_EQ(Of("\nlog_levle: info\n"), "F:2: log_levle: unknown key; did you mean log_level?");
  EXPECT_EQ(Of("sonde:\n  limits:\n    conections: 5\n"),
            "F:3: sonde.limits.conections: unknown key; did you mean connections?");
  EXPECT_EQ(Of("sonde: {linking: {zzzzzz: 5}}\n"),
            "F:1: sonde.linking.zzzzzz: unknown key; expected one of hold, held_spans, "
            "sdk_processes, guesses, hot_wakes");
  EXPECT_EQ(
      Of("tracer_provider:\n  processors:\n    - batch:\n        delay: 5\n        exporter:\n"
         "          console:\n"),
      "F:4: tracer_provider.processors[0].batch.delay: unknown key; expected one of "
      "schedule_delay, export_timeout, max_queue_size, max_export_batch_size");
  EXPECT_EQ(
      Of("tracer_provider: {processors: [{batch: {exporter: {otlp_http: {tls: {ca: x}}}}}]}\n"),
      "F:1: tracer_provider.processors[0].batch.exporter.otlp_http.tls.ca: unknown key; "
      "expected one of ca_file, cert_file, key_file");
}

TEST(File, KnownButNotHere) {
  EXPECT_THAT(Of("meter_provider: {views: []}\n"), HasSubstr("see sonde.metrics"));
  EXPECT_THAT(Of("disabled: true\n"), HasSubstr("sonde has no use for it"));
  EXPECT_THAT(Of("tracer_provider: {limits: {}}\n"), HasSubstr("use attribute_limits"));
  EXPECT_EQ(Of("propagator: {composite: [b3, xray-lambda]}\n"),
            "F:1: propagator.composite: expected tracecontext, baggage, b3, b3multi, jaeger, xray, "
            "datadog or ottrace, got \"xray-lambda\"");
  EXPECT_EQ(Of("sonde: {linking: {sdk_processes: double}}\n"),
            "F:1: sonde.linking.sdk_processes: expected complement, skip or duplicate, got "
            "\"double\"");
  EXPECT_THAT(Of("sonde: {redaction: {baggage_keys: [\"a b\"]}}\n"), HasSubstr("key of baggage"));
}

TEST(File, WrongTypesAndValues) {
  EXPECT_EQ(Of("file_format: 2.0\n"),
            "F:1: file_format: expected a version 1.x, such as \"1.0\", got \"2.0\"");
  EXPECT_EQ(Of("sonde: 5\n"), "F:1: sonde: expected a map, got \"5\"");
  EXPECT_EQ(Of("log_level: [info]\n"),
            "F:1: log_level: expected trace, debug, info, warn, error or off, got a list");
  EXPECT_EQ(
      Of("sonde:\n  limits:\n    connections: \"5\"\n"),
      "F:3: sonde.limits.connections: expected a whole number from 16 to 10000000, got \"5\"");
  EXPECT_EQ(
      Of("sonde:\n  limits:\n    connections: 3\n"),
      "F:3: sonde.limits.connections: expected a whole number from 16 to 10000000, got \"3\"");
  EXPECT_EQ(
      Of("sonde: {capture: {ring_size: 3MiB}}\n"),
      "F:1: sonde.capture.ring_size: expected a size (64KiB, 8MiB) that is a power of two from "
      "256KiB to 1GiB, got \"3MiB\"");
  EXPECT_EQ(Of("sonde: {linking: {hold: 5}}\n"),
            "F:1: sonde.linking.hold: expected a time with a unit (500ms, 5s, 2m) from 1ms to 10m, "
            "got \"5\"");
  EXPECT_EQ(
      Of("sonde: {capture: {probes: one}}\n"),
      "F:1: sonde.capture.probes: expected a list, each the name of a probe family, got \"one\"");
  EXPECT_EQ(Of("sonde: {routes: {patterns: [users]}}\n"),
            "F:1: sonde.routes.patterns: expected a path that starts with /, got \"users\"");
  EXPECT_EQ(Of("sonde: {redaction: {request_headers: [a b]}}\n"),
            "F:1: sonde.redaction.request_headers: expected the name of a header, got \"a b\"");
  EXPECT_EQ(Of("sonde: {discovery: {include: {port: [0]}}}\n"),
            "F:1: sonde.discovery.include.port: expected a port or a range N-M from 1 to 65535, "
            "got \"0\"");
  EXPECT_EQ(Of("sonde: {discovery: {include: {all: yes}}}\n"),
            "F:1: sonde.discovery.include.all: expected true or false, got \"yes\"");
}

TEST(File, StructuredValuesAreChecked) {
  EXPECT_EQ(Of("resource: {attributes: {a: b}}\n"),
            "F:1: resource.attributes: expected a list of {name, value}, got a map");
  EXPECT_EQ(Of("resource: {attributes: [{name: a}]}\n"),
            "F:1: resource.attributes: expected each item to be {name, value}, got a map");
  EXPECT_EQ(Of("resource: {attributes: [{name: a, value: 1, type: int}]}\n"),
            "F:1: resource.attributes: expected type string (the only one supported), got \"int\"");
  EXPECT_EQ(Of("resource: {attributes_list: \"a\"}\n"),
            "F:1: resource.attributes_list: expected text \"k=v,k2=v2\", percent-encoded");
  EXPECT_EQ(Of("tracer_provider: {sampler: {sometimes: }}\n"),
            "F:1: tracer_provider.sampler: expected one of always_on, always_off, "
            "trace_id_ratio_based, rate_limiting, parent_based, composite/development, got "
            "\"sometimes\"");
  EXPECT_EQ(Of("tracer_provider: {sampler: {trace_id_ratio_based: {ratio: 2}}}\n"),
            "F:1: tracer_provider.sampler: expected ratio to be a number from 0 to 1, got \"2\"");
  EXPECT_EQ(Of("tracer_provider: {sampler: {parent_based: {stranger: {always_off: }}}}\n"),
            "F:1: tracer_provider.sampler: parent_based has no stranger");
  EXPECT_THAT(Of("tracer_provider: {sampler: {parent_based: {local_parent_sampled: "
                 "{rate_limiting: }}}}\n"),
              HasSubstr("cannot be rate_limiting"));
  EXPECT_THAT(Of("tracer_provider: {sampler: {parent_based: {root: {parent_based: }}}}\n"),
              HasSubstr("expected one of always_on"));
}

TEST(File, BoundariesAreTimesThatAscend) {
  const auto parsed = ParseFile("sonde: {metrics: {buckets: [500us, 2ms, 1.5s]}}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.metrics.buckets, (std::vector<double>{0.0005, 0.002, 1.5}));
  EXPECT_EQ(Of("sonde: {metrics: {buckets: [2ms, 1ms]}}\n"),
            "F:1: sonde.metrics.buckets: boundaries must ascend; 1ms does not");
  EXPECT_EQ(Of("sonde: {metrics: {buckets: [5]}}\n"),
            "F:1: sonde.metrics.buckets: expected a time with a unit (us, ms, s), got \"5\"");
}

TEST(File, SamplersHaveBranches) {
  const auto parsed = ParseFile(
      "tracer_provider: {sampler: {parent_based: {root: {rate_limiting: {traces_per_second: 5}}, "
      "remote_parent_not_sampled: {trace_id_ratio_based: {ratio: 0.5}}}}}\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const SamplerOptions& sampler = parsed->config.sampler;
  EXPECT_TRUE(sampler.parent_based);
  EXPECT_EQ(sampler.root.kind, "rate_limiting");
  EXPECT_DOUBLE_EQ(sampler.root.traces_per_second, 5);
  EXPECT_EQ(sampler.remote_parent_sampled.kind, "always_on");
  EXPECT_EQ(sampler.remote_parent_not_sampled.kind, "trace_id_ratio_based");
  EXPECT_EQ(sampler.local_parent_not_sampled.kind, "always_off");
}

// A block as it stands in a Collector's configuration.
TEST(File, TailSamplingPoliciesOfTheCollector) {
  const auto parsed = ParseFile(R"(
sonde:
  tail_sampling:
    decision_wait: 10s
    num_traces: 100
    decision_cache: {sampled_cache_size: 10}
    policies:
      [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR, UNSET]}},
        {name: slow, type: latency, latency: {threshold_ms: 5000, upper_threshold_ms: 10000}},
        {name: cart, type: and, and: {and_sub_policy: [
          {name: route, type: string_attribute, string_attribute: {key: http.route, values: ["/cart.*"], enabled_regex_matching: true, cache_max_size: 10}},
          {name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}},
        {name: mix, type: composite, composite: {max_total_spans_per_second: 1000, policy_order: [a, b],
          composite_sub_policy: [
            {name: a, type: numeric_attribute, numeric_attribute: {key: key1, min_value: 50, max_value: 100, invert_match: true}},
            {name: b, type: always_sample}],
          rate_allocation: [{policy: b, percent: 25}]}}
      ]
)");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const TailSamplingOptions& tail = parsed->config.tail_sampling;
  EXPECT_EQ(tail.decision_wait, std::chrono::seconds(10));
  EXPECT_EQ(tail.num_traces, 100U);
  EXPECT_EQ(tail.sampled_cache_size, 10U);
  ASSERT_EQ(tail.policies.size(), 4U);
  EXPECT_EQ(tail.policies[0].status_codes, (std::vector<std::string>{"ERROR", "UNSET"}));
  EXPECT_EQ(tail.policies[1].min, 5000);
  EXPECT_EQ(tail.policies[1].max, 10'000);
  ASSERT_EQ(tail.policies[2].sub.size(), 2U);
  EXPECT_TRUE(tail.policies[2].sub[0].enabled_regex_matching);
  EXPECT_DOUBLE_EQ(tail.policies[2].sub[1].sampling_percentage, 50);
  EXPECT_TRUE(tail.policies[3].sub[0].invert_match);
  EXPECT_EQ(tail.policies[3].percents, (std::vector<int64_t>{0, 25}));
}

TEST(File, TailSamplingPoliciesAreChecked) {
  const auto of = [](const std::string& policy) {
    return Of("sonde: {tail_sampling: {policies: [" + policy + "]}}\n");
  };
  const std::string at = "F:1: sonde.tail_sampling.policies: ";
  EXPECT_THAT(of("{name: a}"), HasSubstr("expected a policy with name and type"));
  EXPECT_THAT(of("{name: a, type: ottl_condition}"),
              HasSubstr("policy a: type ottl_condition is not known here; expected one of"));
  EXPECT_EQ(of("{name: a, type: latency, latency: {threshold: 5}}"),
            at + "policy a: latency has no threshold");
  EXPECT_EQ(of("{name: a, type: latency, latency: {threshold_ms: soon}}"),
            at + "policy a: latency.threshold_ms: expected a whole number, got \"soon\"");
  EXPECT_EQ(of("{name: a, type: latency, status_code: {}}"), at + "policy a has no status_code");
  EXPECT_EQ(of("{name: a, type: status_code, status_code: {status_codes: [BAD]}}"),
            at + "policy a: status_code needs status_codes, of OK, ERROR and UNSET");
  EXPECT_EQ(of("{name: a, type: always_sample}, {name: a, type: always_sample}"),
            at + "policy a is there twice");
  EXPECT_THAT(of("{name: a, type: and, and: {}}"), HasSubstr("and_sub_policy, a list"));
}

TEST(File, ProcessorsAreChecked) {
  const std::string at = "F:1: tracer_provider.processors[0]";
  EXPECT_EQ(
      Of("tracer_provider: {processors: {}}\n"),
      "F:1: tracer_provider.processors: expected a list of batch or simple processors, got a map");
  EXPECT_EQ(Of("tracer_provider: {processors: [{bulk: }]}\n"),
            at + ": expected batch or simple, got \"bulk\"");
  EXPECT_EQ(Of("tracer_provider: {processors: [{batch: {exporter: }}]}\n"),
            at + ".batch: expected exporter with one of otlp_http, otlp_grpc, "
                 "otlp_file/development, zipkin, "
                 "kafka, console");
  EXPECT_EQ(
      Of("tracer_provider: {processors: [{batch: {exporter: {otlp: }}}]}\n"),
      at + ".batch.exporter: expected one of otlp_http, otlp_grpc, otlp_file/development, zipkin, "
           "kafka, console, got \"otlp\"");
  EXPECT_EQ(Of("tracer_provider: {processors: [{simple: {exporter: {otlp_http: }}}]}\n"),
            at + ".simple.exporter: simple is for console only; use batch for otlp_http");
  EXPECT_THAT(
      Of("tracer_provider: {processors: [{batch: {schedule_delay: 1, exporter: {console: }}}, "
         "{batch: {exporter: {otlp_http: }}}]}\n"),
      HasSubstr("batch settings must be the same in every processor"));
}

TEST(File, ValuesMustFitTogether) {
  EXPECT_EQ(Of("sonde: {limits: {connection_memory: 1MiB, total_connection_memory: 512KiB}}\n"),
            "sonde.limits.connection_memory must not be larger than total_connection_memory");
  EXPECT_EQ(Of("sonde: {limits: {head_size: 512KiB}}\n"),
            "sonde.limits.head_size must not be larger than connection_memory");
}

TEST(File, EveryMistakeIsNamedUpToABound) {
  EXPECT_EQ(Of("log_level: loud\nfoo: 1\nsonde: {bar: 2}\n"),
            "F:1: log_level: expected trace, debug, info, warn, error or off, got \"loud\"\n" +
                Of("\nfoo: 1\n") + "\n" + Of("\n\nsonde: {bar: 2}\n"));
  std::string many;
  for (int i = 0; i < 50; ++i) many += "k" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(Of(many), testing::EndsWith("\n... and 30 more"));
}

TEST(File, SubstitutionGivesTypes) {
  const auto result = ParseFile("sonde: {limits: {connections: '${N}'}}\n", {{"N", "99"}});
  EXPECT_FALSE(result.ok());  // quoted: a string
  const auto plain =
      ParseFile("sonde:\n  limits:\n    connections: ${N:-98}\n  admin:\n    listen: ${H}:1\n",
                {{"H", "host"}});
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->config.limits.max_connections, 98U);
  EXPECT_EQ(plain->config.admin.listen, "host:1");
}

TEST(File, MissingFile) {
  EXPECT_EQ(RefusalOf({"config", "check", "--config", "/nonexistent"}),
            "/nonexistent: cannot be read: No such file or directory");
}

TEST(File, CheckSaysOk) {
  const TempFile file("log_level: info\n");
  EXPECT_EQ(Parse({"config", "check", "--config", file.path()})->text, file.path() + ": ok\n");
  EXPECT_EQ(Parse({"config", "check"})->text, "environment and flags: ok (no file)\n");
}

}  // namespace
}  // namespace sonde::config
