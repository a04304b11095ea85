// SPDX-License-Identifier: Apache-2.0
#include "span/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace sonde::span {
namespace {

std::string Valid(std::string_view text, size_t max = 1000) {
  std::string out;
  AppendUtf8(text, max, out);
  return out;
}

#define BAD "\xEF\xBF\xBD"

TEST(Utf8Test, ValidTextStays) {
  for (const char* text : {"", "plain", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x92\xA9",
                           "a\xC3\xA4z", "\xEE\x80\x80"}) {
    EXPECT_EQ(Valid(text), text);
  }
}

// Unicode 15, tables 3-8 to 3-11: one replacement per maximal subpart.
TEST(Utf8Test, MalformedSequences) {
  EXPECT_EQ(Valid("\x80"), BAD);
  EXPECT_EQ(Valid("\xC0\xAF"), BAD BAD);
  EXPECT_EQ(Valid("\xE0\x80\xBF"), BAD BAD BAD);
  EXPECT_EQ(Valid("\xED\xA0\x80"), BAD BAD BAD);
  EXPECT_EQ(Valid("\xF4\x91\x92\x93\xFF"), BAD BAD BAD BAD BAD);
  EXPECT_EQ(Valid("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), BAD BAD BAD BAD "A");
  EXPECT_EQ(Valid("\xF0\x9F\x92"), BAD);
  EXPECT_EQ(Valid("x\xC3"), "x" BAD);
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(Valid("abcdef", 3), "abc");
  EXPECT_EQ(Valid("\xC3\xA4\xC3\xB6\xC3\xBC", 2), "\xC3\xA4\xC3\xB6");
  EXPECT_EQ(Valid("\xFF\xFF\xFF", 2), BAD BAD);
  EXPECT_EQ(Valid("abc", 0), "");
}

TEST(Utf8Test, AsciiAtEveryLength) {
  for (size_t n = 0; n < 40; ++n) {
    std::string text(n, 'a');
    EXPECT_TRUE(IsAscii(text));
    for (size_t i = 0; i < n; ++i) {
      text[i] = '\xC3';
      EXPECT_FALSE(IsAscii(text));
      text[i] = 'a';
    }
  }
}

}  // namespace
}  // namespace sonde::span
