// SPDX-License-Identifier: Apache-2.0
// Every format but W3C's: what its specification says of valid and invalid headers, as a table; and
// the order in which they are asked.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

using Headers = std::vector<HttpHeader>;

const std::string kTrace = "80f198ee56343ba864fe8b2a57d3eff7";
const std::string kHalf = "64fe8b2a57d3eff7";
const std::string kPadded = "0000000000000000" + kHalf;
const std::string kSpan = "e457b5a2e4d86bd1";

std::optional<HeaderContext> Read(const std::string& format, const Headers& headers) {
  auto propagators = Propagators::Create({format});
  EXPECT_TRUE(propagators.ok()) << propagators.status();
  return propagators->Extract(headers);
}

std::string Decision(const HeaderContext& context) {
  if (context.deferred) return "deferred";
  return context.flags == 0 ? "deny" : "accept";
}

struct Case {
  std::string format;
  Headers headers;
  std::string decision;  // empty: nothing valid
  std::string trace_id = kTrace;
  std::string span_id = kSpan;
};

const std::string kXrayRoot = "Root=1-80f198ee-56343ba864fe8b2a57d3eff7";

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      // B3, one header.
      {"b3", {{"b3", kTrace + "-" + kSpan}}, "deferred"},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-1"}}, "accept"},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-0"}}, "deny"},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-d"}}, "accept"},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-1-05e3ac9a4f6e3b90"}}, "accept"},
      {"b3", {{"b3", kHalf + "-" + kSpan + "-1"}}, "accept", kPadded},
      {"b3", {{"b3", "80F198EE56343BA864FE8B2A57D3EFF7-E457B5A2E4D86BD1-1"}}, "accept"},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-2"}}, ""},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-"}}, ""},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-1-"}}, ""},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-1-05e3ac9a4f6e3b90-1"}}, ""},
      {"b3", {{"b3", kTrace.substr(1) + "-" + kSpan + "-1"}}, ""},
      {"b3", {{"b3", kTrace + "-" + kSpan.substr(1) + "-1"}}, ""},
      {"b3", {{"b3", std::string(32, '0') + "-" + kSpan + "-1"}}, ""},
      {"b3", {{"b3", kTrace + "-" + std::string(16, '0') + "-1"}}, ""},
      {"b3", {{"b3", "0"}}, "deny", std::string(32, '0'), std::string(16, '0')},
      {"b3", {{"b3", "1"}}, ""},
      {"b3", {{"b3", "d"}}, ""},
      {"b3", {{"b3", ""}}, ""},
      {"b3", {{"b3", "-"}}, ""},
      {"b3", {{"b3", kTrace + "-" + kSpan + "-1"}, {"b3", kHalf + "-" + kSpan + "-1"}}, ""},
      // B3, many headers; each name reads both forms, the single one first.
      {"b3multi", {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}}, "deferred"},
      {"b3multi",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-sampled", "1"}},
       "accept"},
      {"b3multi",
       {{"x-b3-sampled", "0"}, {"x-b3-spanid", kSpan}, {"x-b3-traceid", kHalf}},
       "deny",
       kPadded},
      {"b3multi",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-sampled", "true"}},
       "accept"},
      {"b3multi",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-flags", "1"}},
       "accept"},
      {"b3multi",
       {{"x-b3-traceid", kTrace},
        {"x-b3-spanid", kSpan},
        {"x-b3-flags", "1"},
        {"x-b3-sampled", "0"}},
       "accept"},
      {"b3multi", {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"x-b3-sampled", "yes"}}, ""},
      {"b3multi", {{"x-b3-traceid", kTrace}}, ""},
      {"b3multi", {{"x-b3-spanid", kSpan}, {"x-b3-sampled", "1"}}, ""},
      {"b3multi", {{"x-b3-sampled", "0"}}, "deny", std::string(32, '0'), std::string(16, '0')},
      {"b3", {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}}, "deferred"},
      {"b3multi",
       {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"b3", kHalf + "-" + kSpan + "-0"}},
       "deny",
       kPadded},
      {"b3", {{"x-b3-traceid", kTrace}, {"x-b3-spanid", kSpan}, {"b3", "nonsense-"}}, "deferred"},
      // Jaeger.
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:1"}}, "accept"},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:0"}}, "deny"},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:02"}}, "accept"},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:9"}}, "accept"},
      {"jaeger", {{"uber-trace-id", kTrace + "%3A" + kSpan + "%3a0%3A1"}}, "accept"},
      {"jaeger", {{"uber-trace-id", kHalf + ":" + kSpan + ":7:1"}}, "accept", kPadded},
      {"jaeger",
       {{"uber-trace-id", "abc:de:0:1"}},
       "accept",
       "00000000000000000000000000000abc",
       "00000000000000de"},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0"}}, ""},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:1:1"}}, ""},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:"}}, ""},
      {"jaeger", {{"uber-trace-id", kTrace + ":" + kSpan + ":0:123"}}, ""},
      {"jaeger", {{"uber-trace-id", kTrace + "0:" + kSpan + ":0:1"}}, ""},
      {"jaeger", {{"uber-trace-id", "0:" + kSpan + ":0:1"}}, ""},
      {"jaeger", {{"uber-trace-id", kTrace + ":0:0:1"}}, ""},
      {"jaeger", {{"uber-trace-id", ":::"}}, ""},
      {"jaeger", {{"uber-trace-id", ""}}, ""},
      // X-Ray.
      {"xray", {{"x-amzn-trace-id", kXrayRoot + ";Parent=" + kSpan + ";Sampled=1"}}, "accept"},
      {"xray", {{"x-amzn-trace-id", kXrayRoot + ";Parent=" + kSpan + ";Sampled=0"}}, "deny"},
      {"xray", {{"x-amzn-trace-id", kXrayRoot + ";Parent=" + kSpan + ";Sampled=?"}}, "deferred"},
      {"xray", {{"x-amzn-trace-id", "Parent=" + kSpan + "; Foo=bar ; " + kXrayRoot}}, "deferred"},
      {"xray",
       {{"x-amzn-trace-id", "Self=1-67891234-12456789abcdef012345678a;" + kXrayRoot + ";Parent=" +
                                kSpan + ";Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2"}},
       "accept"},
      {"xray", {{"x-amzn-trace-id", kXrayRoot}}, ""},  // a load balancer
      {"xray", {{"x-amzn-trace-id", "Parent=" + kSpan + ";Sampled=1"}}, ""},
      {"xray", {{"x-amzn-trace-id", "Root=2" + kXrayRoot.substr(6) + ";Parent=" + kSpan}}, ""},
      {"xray",
       {{"x-amzn-trace-id", "Root=1-80f198ee056343ba864fe8b2a57d3eff7;Parent=" + kSpan}},
       ""},
      {"xray", {{"x-amzn-trace-id", kXrayRoot + ";Parent=" + kSpan.substr(1)}}, ""},
      {"xray", {{"x-amzn-trace-id", ";;;==;"}}, ""},
      {"xray", {{"x-amzn-trace-id", kXrayRoot + ";Parent=" + kSpan + std::string(2000, ';')}}, ""},
      // Datadog: decimal, 7277407061855694839 is 64fe8b2a57d3eff7, 16453819474850114513 is kSpan.
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "1"}},
       "accept",
       kPadded},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "-1"},
        {"x-datadog-tags", "_dd.p.dm=-0,_dd.p.tid=80f198ee56343ba8"}},
       "deny"},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-tags", "_dd.p.tid=80f198ee56343ba"}},
       "deferred",
       kPadded},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "often"}},
       "deferred",
       kPadded},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "0"}},
       "deny",
       kPadded},
      {"datadog", {{"x-datadog-trace-id", "7277407061855694839"}}, ""},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"}, {"x-datadog-parent-id", "0"}},
       ""},
      {"datadog", {{"x-datadog-trace-id", "0"}, {"x-datadog-parent-id", "5"}}, ""},
      {"datadog",
       {{"x-datadog-trace-id", "18446744073709551616"}, {"x-datadog-parent-id", "5"}},
       ""},
      {"datadog", {{"x-datadog-trace-id", "-5"}, {"x-datadog-parent-id", "5"}}, ""},
      {"datadog", {{"x-datadog-trace-id", "5a"}, {"x-datadog-parent-id", "5"}}, ""},
      // OpenTracing's basic tracers.
      {"ottrace",
       {{"ot-tracer-traceid", kHalf}, {"ot-tracer-spanid", kSpan}, {"ot-tracer-sampled", "true"}},
       "accept",
       kPadded},
      {"ottrace",
       {{"ot-tracer-traceid", kTrace}, {"ot-tracer-spanid", kSpan}, {"ot-tracer-sampled", "false"}},
       "deny"},
      {"ottrace", {{"ot-tracer-traceid", kTrace}, {"ot-tracer-spanid", kSpan}}, "deferred"},
      {"ottrace", {{"ot-tracer-traceid", kTrace}}, ""},
      {"ottrace", {{"ot-tracer-traceid", "0"}, {"ot-tracer-spanid", kSpan}}, ""},
      {"ottrace", {{"ot-tracer-traceid", "xyz"}, {"ot-tracer-spanid", kSpan}}, ""},
  };
  return cases;
}

std::string Describe(const Case& c) {
  std::string text = c.format;
  for (const HttpHeader& header : c.headers) text += " | " + header.name + ": " + header.value;
  return text;
}

TEST(PropagationTest, Table) {
  for (const Case& c : Cases()) {
    const auto context = Read(c.format, c.headers);
    ASSERT_EQ(context.has_value(), !c.decision.empty()) << Describe(c);
    if (!context) continue;
    EXPECT_EQ(Decision(*context), c.decision) << Describe(c);
    EXPECT_EQ(context->trace_id.ToHex(), c.trace_id) << Describe(c);
    EXPECT_EQ(context->span_id.ToHex(), c.span_id) << Describe(c);
    const std::string method = c.format == "b3multi" ? "b3" : c.format;
    EXPECT_EQ(LinkMethodName(context->format), method) << Describe(c);
  }
}

TEST(PropagationTest, OtherHeadersAreInTheWayOfNothing) {
  for (const Case& c : Cases()) {
    Headers headers = {{"host", "a"}, {"user-agent", "b"}, {"x-forwarded-for", "c"}};
    headers.insert(headers.begin() + 1, c.headers.begin(), c.headers.end());
    headers.push_back({"", ""});
    EXPECT_EQ(Read(c.format, headers).has_value(), !c.decision.empty()) << Describe(c);
  }
}

TEST(PropagationTest, OnlyWhatWasListed) {
  for (const Case& c : Cases()) {
    for (const char* other : {"tracecontext", "baggage", "none"}) {
      EXPECT_FALSE(Read(other, c.headers)) << other << " " << Describe(c);
    }
  }
}

// The same value twice is what some proxies make of one header.
TEST(PropagationTest, ARepeatedHeaderThatSaysTheSame) {
  const std::string value = kTrace + ":" + kSpan + ":0:1";
  EXPECT_TRUE(Read("jaeger", {{"uber-trace-id", value}, {"uber-trace-id", value}}));
}

TEST(PropagationTest, TheFirstValidFormatOfTheListWins) {
  const Headers headers = {{"b3", kHalf + "-" + kSpan + "-1"},
                           {"uber-trace-id", kTrace + ":" + kSpan + ":0:1"},
                           {"traceparent", "00-" + kTrace + "-" + kSpan + "-broken"}};
  const auto first = [&](const std::vector<std::string>& names) {
    return Propagators::Create(names)->Extract(headers)->format;
  };
  EXPECT_EQ(first({"b3", "jaeger"}), LinkMethod::kB3);
  EXPECT_EQ(first({"jaeger", "b3"}), LinkMethod::kJaeger);
  EXPECT_EQ(first({"tracecontext", "xray", "baggage", "jaeger", "b3"}), LinkMethod::kJaeger);
}

}  // namespace
}  // namespace sonde::trace
