// SPDX-License-Identifier: Apache-2.0
// The cases of the W3C recommendation and of its own test-suite for traceparent and tracestate.
#include "trace/propagation/w3c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sonde::trace {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00f067aa0ba902b7";
const std::string kValid = "00-" + kTrace + "-" + kParent + "-01";

TEST(TraceparentTest, Valid) {
  const auto context = ParseTraceparent(kValid);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id.ToHex(), kTrace);
  EXPECT_EQ(context->span_id.ToHex(), kParent);
  EXPECT_EQ(context->flags, 1);
}

TEST(TraceparentTest, FlagsAreABitField) {
  EXPECT_EQ(ParseTraceparent("00-" + kTrace + "-" + kParent + "-00")->flags, 0);
  EXPECT_EQ(ParseTraceparent("00-" + kTrace + "-" + kParent + "-02")->flags, 2);
  EXPECT_EQ(ParseTraceparent("00-" + kTrace + "-" + kParent + "-ff")->flags, 3);
  EXPECT_EQ(ParseTraceparent("01-" + kTrace + "-" + kParent + "-ff")->flags, 1);
}

TEST(TraceparentTest, LaterVersions) {
  EXPECT_TRUE(ParseTraceparent("cc-" + kTrace + "-" + kParent + "-01"));
  EXPECT_TRUE(
      ParseTraceparent("cc-" + kTrace + "-" + kParent + "-01-what-the-future-will-be-like"));
  EXPECT_TRUE(ParseTraceparent("cc-" + kTrace + "-" + kParent + "-01-"));
  EXPECT_FALSE(ParseTraceparent("cc-" + kTrace + "-" + kParent + "-01.what"));
  EXPECT_FALSE(ParseTraceparent("ff-" + kTrace + "-" + kParent + "-01"));
}

TEST(TraceparentTest, Invalid) {
  const std::vector<std::string> bad = {
      "",
      "00",
      kValid + "-",
      kValid + "-what",
      kValid + "1",
      kValid.substr(0, 54),
      "0-" + kTrace + "-" + kParent + "-01",
      "000-" + kTrace + "-" + kParent + "-01",
      "0G-" + kTrace + "-" + kParent + "-01",
      "0A-" + kTrace + "-" + kParent + "-01",
      "00_" + kTrace + "-" + kParent + "-01",
      "00-00000000000000000000000000000000-" + kParent + "-01",
      "00-" + kTrace + "-0000000000000000-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kParent + "-01",
      "00-.bf92f3577b34da6a3ce929d0e0e4736-" + kParent + "-01",
      "00-" + kTrace + "-00f067aa0ba902B7-01",
      "00-" + kTrace + "-" + kParent + "-0X",
      "00-" + kTrace + "-" + kParent + "-.0",
      "00-" + kTrace.substr(1) + "-" + kParent + "-011",
  };
  for (const std::string& value : bad) EXPECT_FALSE(ParseTraceparent(value)) << value;
}

TEST(W3cTest, OneTraceparentOnly) {
  EXPECT_TRUE(ExtractW3c({{"host", "a"}, {"traceparent", kValid}}));
  EXPECT_TRUE(ExtractW3c({{"traceparent", " " + kValid + "\t"}}));
  EXPECT_FALSE(ExtractW3c({{"traceparent", kValid}, {"traceparent", kValid}}));
  EXPECT_FALSE(ExtractW3c({{"tracestate", "a=1"}}));
  EXPECT_FALSE(ExtractW3c({}));
}

TEST(W3cTest, BadTracestateCostsOnlyItself) {
  const auto context = ExtractW3c({{"traceparent", kValid}, {"tracestate", "foo"}});
  ASSERT_TRUE(context);
  EXPECT_EQ(context->tracestate, "");
}

TEST(W3cTest, TracestateHeadersAreCombinedInOrder) {
  const auto context = ExtractW3c({{"tracestate", "foo=1,"},
                                   {"traceparent", kValid},
                                   {"tracestate", ""},
                                   {"tracestate", "bar=2"}});
  ASSERT_TRUE(context);
  EXPECT_EQ(context->tracestate, "foo=1,bar=2");
}

TEST(TracestateTest, Members) {
  EXPECT_EQ(ParseTracestate({"foo=1 \t , \t bar=2"}), "foo=1,bar=2");
  EXPECT_EQ(ParseTracestate({"foo=1,,,bar=2,"}), "foo=1,bar=2");
  EXPECT_EQ(ParseTracestate({"foo= 1"}), "foo= 1");
  EXPECT_EQ(ParseTracestate({"1a-_*/@b=!~"}), "1a-_*/@b=!~");
  EXPECT_EQ(ParseTracestate({""}), "");
  for (const char* bad :
       {"foo", "foo=", "=1", "FOO=1", "foo =1", "foo.bar=1", "@foo=1", "foo=1=2", "foo=1\x01",
        "foo=bar,foo=baz", "foo@=1,bar", "\xC3\xA4=1", "foo=\xC3\xA4"}) {
    EXPECT_EQ(ParseTracestate({bad}), "") << bad;
  }
  EXPECT_EQ(ParseTracestate({"foo=1", "foo=2"}), "");
}

std::string Many(int members, int value_bytes) {
  std::string text;
  for (int i = 0; i < members; ++i) {
    text += (i == 0 ? "" : ",") + std::string("k") + std::to_string(i) + "=" +
            std::string(value_bytes, 'v');
  }
  return text;
}

TEST(TracestateTest, Limits) {
  EXPECT_EQ(ParseTracestate({Many(32, 1)}), Many(32, 1));
  EXPECT_EQ(ParseTracestate({Many(33, 1)}), "");
  EXPECT_EQ(ParseTracestate({std::string(256, 'k') + "=1"}).size(), 258U);
  EXPECT_EQ(ParseTracestate({std::string(257, 'k') + "=1"}), "");
  EXPECT_EQ(ParseTracestate({"k=" + std::string(256, 'v')}).size(), 258U);
  EXPECT_EQ(ParseTracestate({"k=" + std::string(257, 'v')}), "");
}

TEST(TracestateTest, TooLongIsShortenedByWholeMembers) {
  // The large one goes first, although it stands first and the rest would fit without its
  // neighbours.
  const std::string large = "big=" + std::string(200, 'x');
  EXPECT_EQ(ParseTracestate({large + "," + Many(8, 40)}), Many(8, 40));
  // Then the last ones: 11 members of 44 bytes and 10 commas are 494, a twelfth would be 540.
  const std::string shortened = ParseTracestate({Many(20, 41)});
  EXPECT_LE(shortened.size(), 512U);
  EXPECT_TRUE(Many(20, 41).starts_with(shortened + ","));
  EXPECT_GT(shortened.size(), 440U);
}

}  // namespace
}  // namespace sonde::trace
