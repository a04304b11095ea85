// SPDX-License-Identifier: Apache-2.0
// The reading rules that the public test-suite of W3C Trace Context checks at its strictest level,
// one row per header set that it sends. Its cases on the spelling of header names are the
// parsers': names come in lower case.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/w3c.h"

namespace sonde::trace {
namespace {

using Headers = std::vector<HttpHeader>;

const std::string kTrace = "12345678901234567890123456789012";
const std::string kParent = "1234567890123456";
const std::string kRest = "-" + kTrace + "-" + kParent + "-";

struct ParentCase {
  std::string rule;
  std::vector<std::string> values;
  bool continues;  // the trace goes on; else a new one begins
};

TEST(W3cSuiteTest, Traceparent) {
  const std::vector<ParentCase> cases = {
      {"absent", {}, false},
      {"alone", {"00" + kRest + "01"}, true},
      {"twice, different", {"00" + kRest + "01", "00-" + kTrace + "-1234567890123457-01"}, false},
      {"twice, the same", {"00" + kRest + "01", "00" + kRest + "01"}, false},
      {"version 00 ends after the flags", {"00" + kRest + "01."}, false},
      {"version 00 ends after the flags", {"00" + kRest + "01-what-may-come"}, false},
      {"a later version", {"cc" + kRest + "01"}, true},
      {"a later version goes on after a dash", {"cc" + kRest + "01-what-may-come"}, true},
      {"a later version goes on without a dash", {"cc" + kRest + "01.what-may-come"}, false},
      {"version ff is forbidden", {"ff" + kRest + "01"}, false},
      {"version, illegal character", {".0" + kRest + "01"}, false},
      {"version, illegal character", {"0." + kRest + "01"}, false},
      {"version, three digits", {"000" + kRest + "01"}, false},
      {"version, four digits", {"0000" + kRest + "01"}, false},
      {"version, one digit", {"0" + kRest + "01"}, false},
      {"trace id of zeros", {"00-" + std::string(32, '0') + "-" + kParent + "-01"}, false},
      {"trace id, illegal character", {"00-." + kTrace.substr(1) + "-" + kParent + "-01"}, false},
      {"trace id, illegal character",
       {"00-" + kTrace.substr(0, 31) + ".-" + kParent + "-01"},
       false},
      {"trace id too long", {"00-" + kTrace + "3-" + kParent + "-01"}, false},
      {"trace id too short", {"00-" + kTrace.substr(1) + "-" + kParent + "-01"}, false},
      {"parent id of zeros", {"00-" + kTrace + "-0000000000000000-01"}, false},
      {"parent id, illegal character", {"00-" + kTrace + "-.234567890123456-01"}, false},
      {"parent id, illegal character", {"00-" + kTrace + "-123456789012345.-01"}, false},
      {"parent id too long", {"00-" + kTrace + "-12345678901234567-01"}, false},
      {"parent id too short", {"00-" + kTrace + "-123456789012345-01"}, false},
      {"flags, illegal character", {"00" + kRest + ".0"}, false},
      {"flags, illegal character", {"00" + kRest + "0."}, false},
      {"flags too long", {"00" + kRest + "001"}, false},
      {"flags too short", {"00" + kRest + "1"}, false},
      {"space before", {" 00" + kRest + "01"}, true},
      {"tab before", {"\t00" + kRest + "01"}, true},
      {"space after", {"00" + kRest + "01 "}, true},
      {"tab after", {"00" + kRest + "01\t"}, true},
      {"space around", {"\t 00" + kRest + "01 \t"}, true},
  };
  for (const ParentCase& c : cases) {
    Headers headers;
    for (const std::string& value : c.values) headers.push_back({"traceparent", value});
    const auto context = ExtractW3c(headers);
    ASSERT_EQ(context.has_value(), c.continues)
        << c.rule << ": " << testing::PrintToString(c.values);
    if (!context) continue;
    EXPECT_EQ(context->trace_id.ToHex(), kTrace) << c.rule;
  }
}

TEST(W3cSuiteTest, OtherNamesAreNoTraceparent) {
  for (const char* name : {"trace-parent", "trace.parent", "traceparents", "x-traceparent"}) {
    EXPECT_FALSE(ExtractW3c({{name, "00" + kRest + "01"}})) << name;
  }
}

struct StateCase {
  std::string rule;
  std::vector<std::string> values;
  std::string kept;
};

std::string Bars(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) {
    const std::string number = (i < 10 ? "0" : "") + std::to_string(i);
    text += (i == first ? "bar" : ",bar") + number + "=" + number;
  }
  return text;
}

std::vector<StateCase> StateCases() {
  const std::string key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  std::string value;
  for (char c = 0x20; c <= 0x7E; ++c) {
    if (c != ',' && c != '=') value.push_back(c);
  }
  const std::string all = key + "=" + value;
  const std::string all_of_tenant = key + "@a-z0-9_-*/=" + value;
  return {
      {"kept in order", {"foo=1,bar=2"}, "foo=1,bar=2"},
      {"empty", {""}, ""},
      {"empty beside another", {"foo=1", ""}, "foo=1"},
      {"empty beside another", {"", "foo=1"}, "foo=1"},
      {"several headers are one list",
       {"foo=1,bar=2", "rojo=1,congo=2", "baz=3"},
       "foo=1,bar=2,rojo=1,congo=2,baz=3"},
      {"a key twice", {"foo=1,foo=1"}, ""},
      {"a key twice", {"foo=1,foo=2"}, ""},
      {"a key twice, two headers", {"foo=1", "foo=1"}, ""},
      {"a key twice, two headers", {"foo=1", "foo=2"}, ""},
      {"all characters", {all}, all},
      {"all characters, tenant", {all_of_tenant}, all_of_tenant},
      {"space about commas", {"foo=1 \t , \t bar=2, \t baz=3"}, "foo=1,bar=2,baz=3"},
      {"space about commas", {"foo=1\t \t,\t \tbar=2,\t \tbaz=3"}, "foo=1,bar=2,baz=3"},
      {"space before", {" foo=1"}, "foo=1"},
      {"tab before", {"\tfoo=1"}, "foo=1"},
      {"space after", {"foo=1 "}, "foo=1"},
      {"tab after", {"foo=1\t"}, "foo=1"},
      {"space around", {"\t foo=1 \t"}, "foo=1"},
      {"space in a key", {"foo =1"}, ""},
      {"capitals in a key", {"FOO=1"}, ""},
      {"dot in a key", {"foo.bar=1"}, ""},
      {"no system", {"foo@=1,bar=2"}, ""},
      {"no tenant", {"@foo=1,bar=2"}, ""},
      {"two at signs", {"foo@@bar=1,bar=2"}, ""},
      {"two systems", {"foo@bar@baz=1,bar=2"}, ""},
      {"a system begins with a letter", {"foo@1bar=1"}, ""},
      {"a tenant may begin with a digit", {"1foo@bar=1"}, "1foo@bar=1"},
      {"32 members", {Bars(1, 10), Bars(11, 20), Bars(21, 30), Bars(31, 32)}, Bars(1, 32)},
      {"33 members", {Bars(1, 10), Bars(11, 20), Bars(21, 30), Bars(31, 33)}, ""},
      {"key of 256",
       {"foo=1", std::string(256, 'z') + "=1"},
       "foo=1," + std::string(256, 'z') + "=1"},
      {"key of 257", {"foo=1", std::string(257, 'z') + "=1"}, ""},
      {"tenant of 241, system of 14",
       {"foo=1", std::string(241, 't') + "@" + std::string(14, 'v') + "=1"},
       "foo=1," + std::string(241, 't') + "@" + std::string(14, 'v') + "=1"},
      {"tenant of 242", {"foo=1", std::string(242, 't') + "@v=1"}, ""},
      {"system of 15", {"foo=1", "t@" + std::string(15, 'v') + "=1"}, ""},
      {"equals sign in a value", {"foo=bar=baz"}, ""},
      {"no value", {"foo=,bar=3"}, ""},
  };
}

TEST(W3cSuiteTest, Tracestate) {
  for (const StateCase& c : StateCases()) {
    Headers headers = {{"traceparent", "00" + kRest + "00"}};
    for (const std::string& value : c.values) headers.push_back({"tracestate", value});
    const auto context = ExtractW3c(headers);
    ASSERT_TRUE(context) << c.rule;
    EXPECT_EQ(context->trace_id.ToHex(), kTrace) << c.rule;
    EXPECT_EQ(context->flags, 0) << c.rule;
    EXPECT_EQ(context->tracestate, c.kept) << c.rule;
    headers.erase(headers.begin());
    EXPECT_FALSE(ExtractW3c(headers)) << c.rule << ", but no traceparent";
  }
}

TEST(W3cSuiteTest, OtherNamesAreNoTracestate) {
  for (const char* name : {"trace-state", "trace.state"}) {
    const auto context = ExtractW3c({{"traceparent", "00" + kRest + "00"}, {name, "foo=1"}});
    ASSERT_TRUE(context) << name;
    EXPECT_EQ(context->tracestate, "") << name;
  }
}

}  // namespace
}  // namespace sonde::trace
