// SPDX-License-Identifier: Apache-2.0
#include "resource/text.h"

#include <gtest/gtest.h>

#include <string>

namespace sonde::resource {
namespace {

constexpr char kBad[] = "\xEF\xBF\xBD";

TEST(TextTest, WellFormedTextIsKept) {
  for (const char* text : {"", "plain", "ä", "€", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF",
                           "\xED\x9F\xBF", "\xEE\x80\x80"}) {
    EXPECT_EQ(ToUtf8(text), text);
  }
}

TEST(TextTest, EachWrongByteIsReplaced) {
  const std::string bad = kBad;
  EXPECT_EQ(ToUtf8("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(ToUtf8("\xC0\x80"), bad + bad);            // overlong
  EXPECT_EQ(ToUtf8("\xE0\x80\x80"), bad + bad + bad);  // overlong
  EXPECT_EQ(ToUtf8("\xED\xA0\x80"), bad + bad + bad);  // surrogate
  EXPECT_EQ(ToUtf8("\xF4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(ToUtf8("\xE2\x82"), bad + bad);  // cut
  EXPECT_EQ(ToUtf8("\xE2\x82z"), bad + bad + "z");
}

TEST(TextTest, CutsAtACharacter) {
  EXPECT_EQ(ToUtf8("abcdef", 3), "abc");
  EXPECT_EQ(ToUtf8("a€b", 3), "a");
  EXPECT_EQ(ToUtf8("a€b", 4), "a€");
  EXPECT_EQ(ToUtf8(std::string(100'000, 'x')).size(), kMaxValueBytes);
}

}  // namespace
}  // namespace sonde::resource
