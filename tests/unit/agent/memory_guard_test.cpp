// SPDX-License-Identifier: Apache-2.0
#include "agent/memory_guard.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "sonde/base/metrics.h"

namespace sonde::agent {
namespace {

constexpr uint64_t kMs = 1'000'000;

TEST(MemoryGuardTest, LevelsFollowTheResidentMemory) {
  MetricRegistry metrics;
  size_t resident = 10;
  MemoryGuard guard(1000, metrics, [&] { return resident; });
  uint64_t now = 1'000 * kMs;
  const auto check = [&](size_t bytes) {
    resident = bytes;
    now += 20 * kMs;
    return guard.Check(now);
  };
  EXPECT_EQ(check(749), MemoryLevel::kFine);
  EXPECT_EQ(check(750), MemoryLevel::kSoft);
  EXPECT_EQ(check(900), MemoryLevel::kHard);
  EXPECT_EQ(check(800), MemoryLevel::kSoft);
  EXPECT_EQ(check(0), MemoryLevel::kFine) << "not to be read: nothing is given up";
}

TEST(MemoryGuardTest, ReadsSeldom) {
  MetricRegistry metrics;
  int reads = 0;
  MemoryGuard guard(1000, metrics, [&] { return static_cast<size_t>(++reads); });
  for (uint64_t ms = 1000; ms < 2000; ++ms) guard.Check(ms * kMs);
  EXPECT_EQ(reads, 50);
}

TEST(MemoryGuardTest, KnowsThisProcess) {
  EXPECT_GT(ResidentBytes(), 1U << 20);
  EXPECT_LT(ResidentBytes(), size_t{1} << 36);
}

}  // namespace
}  // namespace sonde::agent
