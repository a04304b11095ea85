// SPDX-License-Identifier: Apache-2.0
#include "sonde/wire/head_end.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "sonde/wire/capture_limits.h"
#include "unit/wire/wire_input.h"

namespace sonde::wire_test {
namespace {

uint32_t EndOf(std::string_view bytes) {
  uint32_t carry = SONDE_CARRY_NONE;
  return HeadEnd(bytes, carry);
}

TEST(HeadEndTest, EveryWayToEndALine) {
  EXPECT_EQ(EndOf("a\r\n\r\n"), 5U);
  EXPECT_EQ(EndOf("a\n\n"), 3U);
  EXPECT_EQ(EndOf("a\r\n\nb"), 4U);
  EXPECT_EQ(EndOf("a\n\r\nb"), 4U);
  EXPECT_EQ(EndOf("a\r\n\r\r\n"), 0U);  // the line holds a CR
  EXPECT_EQ(EndOf("a\r\n \r\n"), 0U);
  EXPECT_EQ(EndOf("\r\n"), 0U);
  EXPECT_EQ(EndOf(""), 0U);
}

TEST(HeadEndTest, AtEveryPlaceOfALongHead) {
  for (size_t size = 0; size < 300; ++size) {
    for (const std::string_view end : {"\r\n\r\n", "\n\n", "\r\n\n", "\n\r\n"}) {
      const std::string head = std::string(size, 'a') + std::string(end);
      EXPECT_EQ(EndOf(head), head.size());
      EXPECT_EQ(EndOf(head + "\r\n\r\n" + std::string(100, '\n')), head.size());
    }
  }
}

TEST(HeadEndTest, AtTheLimitOfTheScan) {
  for (size_t size = SONDE_HEAD_SCAN - 70; size <= SONDE_HEAD_SCAN - 4; ++size) {
    const std::string head = std::string(size, 'a') + "\r\n\r\n";
    EXPECT_EQ(EndOf(head), head.size());
  }
  EXPECT_EQ(EndOf(std::string(SONDE_HEAD_SCAN - 3, 'a') + "\r\n\r\n"), 0U);
}

// Bytes with bit 7 set, and those beside CR and LF, upset inexact word tricks.
TEST(HeadEndTest, BytesThatLookAlike) {
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<char>(value);
    const std::string text = std::string("x\n") + byte + "\n" + byte + byte + "\n\r" + byte;
    uint32_t carry = SONDE_CARRY_NONE;
    uint32_t plain = SONDE_CARRY_NONE;
    EXPECT_EQ(HeadEnd(text, carry), PlainHeadEnd(text, plain)) << value;
  }
}

// In two and three records, cut everywhere: the same end, by the carry alone.
TEST(HeadEndTest, CutAtEveryByte) {
  const std::string head =
      "GET / HTTP/1.1\r\nHost: x\nA: " + std::string(60, 'y') + "\r\nB: \r\r\r\n\r\n\r\nbody";
  uint32_t whole = SONDE_CARRY_NONE;
  const uint32_t end = PlainHeadEnd(head, whole);
  ASSERT_GT(end, 60U);
  for (size_t i = 0; i <= end; ++i) {
    for (size_t j = i; j <= end; ++j) {
      uint32_t carry = SONDE_CARRY_NONE;
      size_t at = 0;
      uint32_t found = 0;
      for (const size_t cut : {i, j, head.size()}) {
        found = HeadEnd(std::string_view(head).substr(at, cut - at), carry);
        if (found != 0) break;
        at = cut;
      }
      ASSERT_EQ(at + found, end) << i << ", " << j;
    }
  }
}

TEST(HeadEndTest, AgreesWithThePlainWay) {
  std::mt19937 random(1);
  constexpr std::string_view kBytes = "\r\n\r\na\v\x8a";
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 200, 'a');
    for (size_t i = random() % 8; i > 0 && !text.empty(); --i) {
      const size_t at = random() % text.size();
      for (size_t j = at; j < text.size() && j < at + 4; ++j)
        text[j] = kBytes[random() % kBytes.size()];
    }
    uint32_t carry = static_cast<uint32_t>(random() % 3);
    uint32_t plain = carry;
    const uint32_t end = HeadEnd(text, carry);
    ASSERT_EQ(end, PlainHeadEnd(text, plain)) << testing::PrintToString(text);
    if (end == 0) {
      ASSERT_EQ(carry, plain) << testing::PrintToString(text);
    }
  }
}

}  // namespace
}  // namespace sonde::wire_test
