// SPDX-License-Identifier: Apache-2.0
#include "config/units.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace sonde::config {
namespace {

TEST(Units, DurationsNeedAUnitUnlessMillisecondsAreTheRule) {
  EXPECT_EQ(ParseDuration("500ms", false), Milliseconds(500));
  EXPECT_EQ(ParseDuration("5s", false), Milliseconds(5000));
  EXPECT_EQ(ParseDuration("1.1s", false), Milliseconds(1100));
  EXPECT_EQ(ParseDuration("2m", true), Milliseconds(120'000));
  EXPECT_EQ(ParseDuration("1h", false), Milliseconds(3'600'000));
  EXPECT_EQ(ParseDuration("250", true), Milliseconds(250));
  EXPECT_EQ(ParseDuration("250", false), std::nullopt);
}

TEST(Units, DurationsRefuseWhatIsNotOne) {
  for (const char* text : {"", "s", "-1s", "1 s", "1.0001ms", "1x", "0x5s", "nan", "1e3s", "101d",
                           "99999999999999999999h", "1..5s"}) {
    EXPECT_EQ(ParseDuration(text, true), std::nullopt) << text;
  }
}

TEST(Units, Sizes) {
  EXPECT_EQ(ParseSize("4096"), 4096U);
  EXPECT_EQ(ParseSize("64KiB"), 65536U);
  EXPECT_EQ(ParseSize("1.5MiB"), 1572864U);
  EXPECT_EQ(ParseSize("2GiB"), 2ULL << 30);
  EXPECT_EQ(ParseSize("10kB"), 10'000U);
  for (const char* text : {"", "KiB", "-1", "8mib", "1.3", "99999999999999GiB", "8 MiB"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(Units, WhatIsFormattedIsReadBack) {
  for (const long ms : {0L, 1L, 999L, 1000L, 90'000L, 86'400'000L, 3'600'001L}) {
    EXPECT_EQ(ParseDuration(FormatDuration(Milliseconds(ms)), false), Milliseconds(ms));
  }
  EXPECT_EQ(FormatDuration(Milliseconds(90'000)), "90s");
  for (const uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1536ULL, 8ULL << 20, 3ULL << 30}) {
    EXPECT_EQ(ParseSize(FormatSize(bytes)), bytes);
  }
  EXPECT_EQ(FormatSize(8U << 20), "8MiB");
}

TEST(Units, UnsignedIsDigitsOnly) {
  EXPECT_EQ(ParseUnsigned("18446744073709551615"), 18446744073709551615ULL);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616"}) {
    EXPECT_EQ(ParseUnsigned(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace sonde::config
