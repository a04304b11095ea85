// SPDX-License-Identifier: Apache-2.0
#include "sonde/pipeline/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "sonde/pipeline/metric.h"

namespace sonde {
namespace {

// Upper bounds are inclusive, lower ones are not (data model, "Exponential Buckets").
TEST(Exponential, PowersOfTwoEndTheirBucket) {
  EXPECT_EQ(ExponentialBucketOf(1, 0), -1);
  EXPECT_EQ(ExponentialBucketOf(1.0000001, 0), 0);
  EXPECT_EQ(ExponentialBucketOf(2, 0), 0);
  EXPECT_EQ(ExponentialBucketOf(2.5, 0), 1);
  EXPECT_EQ(ExponentialBucketOf(4, 0), 1);
  EXPECT_EQ(ExponentialBucketOf(4, 1), 3);
  EXPECT_EQ(ExponentialBucketOf(3, 1), 3);  // (2 * sqrt 2, 4]
  EXPECT_EQ(ExponentialBucketOf(2.5, 1), 2);
  EXPECT_EQ(ExponentialBucketOf(4, -1), 0);  // (1, 4]
  EXPECT_EQ(ExponentialBucketOf(4.5, -1), 1);
  EXPECT_EQ(ExponentialBucketOf(1, -1), -1);
  EXPECT_EQ(ExponentialBucketOf(0.25, -1), -2);
}

TEST(Exponential, EveryValueLiesInItsBucket) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponents(-30, 30);
  for (const int32_t scale : {-3, 0, 1, 4, 10}) {
    const double base = std::pow(2.0, std::pow(2.0, -scale));
    for (int i = 0; i < 2000; ++i) {
      const double value = std::exp2(exponents(random));
      const int32_t bucket = ExponentialBucketOf(value, scale);
      EXPECT_LE(value, std::pow(base, bucket + 1) * (1 + 1e-9)) << value << " at " << scale;
      EXPECT_GT(value, std::pow(base, bucket) * (1 - 1e-9)) << value << " at " << scale;
    }
  }
}

TEST(Exponential, KeepsEveryCountWithinItsBuckets) {
  ExponentialBuckets buckets{.scale = kMaxExponentialScale, .counts = {}};
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> values(0, 3);
  constexpr uint64_t kValues = 10'000;
  for (uint64_t i = 0; i < kValues; ++i) Record(buckets, values(random));
  EXPECT_LE(buckets.counts.size(), static_cast<size_t>(kMaxExponentialBuckets));
  EXPECT_EQ(std::accumulate(buckets.counts.begin(), buckets.counts.end(), uint64_t{0}), kValues);
  EXPECT_LT(buckets.scale, kMaxExponentialScale);
}

TEST(Exponential, WhatIsNotPositiveIsZero) {
  ExponentialBuckets buckets{.scale = kMaxExponentialScale, .counts = {}};
  for (const double value : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
    Record(buckets, value);
  }
  EXPECT_EQ(buckets.zero_count, 4U);
  EXPECT_TRUE(buckets.counts.empty());
}

TEST(Exponential, DownscalingMergesNeighbours) {
  ExponentialBuckets buckets{.scale = 1, .offset = -3, .counts = {1, 2, 4, 8, 16}};
  Downscale(buckets, 0);
  EXPECT_EQ(buckets.offset, -2);
  EXPECT_EQ(buckets.counts, (std::vector<uint64_t>{1, 6, 24}));
}

// Bucket by bucket, from the values themselves and in a wider type.
std::map<int64_t, uint64_t> BruteForce(const std::vector<double>& values, int32_t scale) {
  std::map<int64_t, uint64_t> counts;
  for (const double value : values) {
    const long double index = std::log2(static_cast<long double>(value)) * std::exp2l(scale);
    ++counts[static_cast<int64_t>(std::ceil(index)) - 1];
  }
  return counts;
}

std::map<int64_t, uint64_t> ByNumber(const ExponentialBuckets& buckets) {
  std::map<int64_t, uint64_t> counts;
  for (size_t i = 0; i < buckets.counts.size(); ++i) {
    if (buckets.counts[i] > 0) counts[buckets.offset + static_cast<int64_t>(i)] = buckets.counts[i];
  }
  return counts;
}

// However many values at whatever scale they were first counted: the same buckets as counting them
// all at the last scale.
TEST(Exponential, EqualsBruteForceAtEveryStep) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 50; ++round) {
    std::lognormal_distribution<double> values(-5, 0.1 * (round + 1));
    ExponentialBuckets buckets{.scale = kMaxExponentialScale, .counts = {}};
    std::vector<double> all;
    for (int i = 0; i < 400; ++i) {
      all.push_back(values(random));
      Record(buckets, all.back());
      if (i % 50 != 49) continue;
      ASSERT_EQ(ByNumber(buckets), BruteForce(all, buckets.scale)) << round;
    }
  }
}

TEST(Exponential, WhatWasAddedEqualsBruteForce) {
  std::mt19937_64 random(13);
  for (int round = 0; round < 100; ++round) {
    std::lognormal_distribution<double> first(0, 0.02 * (round + 1));
    std::lognormal_distribution<double> second(round % 7 - 3, 0.05 * (round + 1));
    ExponentialBuckets buckets{.scale = kMaxExponentialScale, .counts = {}};
    for (int i = 0; i < round % 5 * 100; ++i) Record(buckets, first(random));
    Record(buckets, 0);
    const ExponentialBuckets earlier = buckets;
    std::vector<double> added;
    for (int i = 0; i < round % 3 * 150; ++i) added.push_back(second(random));
    for (const double value : added) Record(buckets, value);
    Record(buckets, 0);
    const ExponentialBuckets since = Since(earlier, buckets);
    EXPECT_EQ(since.scale, buckets.scale);
    EXPECT_EQ(since.zero_count, 1U);
    EXPECT_EQ(ByNumber(since), BruteForce(added, buckets.scale)) << round;
    if (!since.counts.empty()) {
      EXPECT_GT(since.counts.front(), 0U);
      EXPECT_GT(since.counts.back(), 0U);
    }
  }
}

TEST(Exponential, HoldsTheSmallestAndTheLargestNumber) {
  ExponentialBuckets buckets{.scale = kMaxExponentialScale, .counts = {}};
  Record(buckets, std::numeric_limits<double>::denorm_min());
  Record(buckets, std::numeric_limits<double>::max());
  Record(buckets, 1);
  EXPECT_LE(buckets.counts.size(), static_cast<size_t>(kMaxExponentialBuckets));
  EXPECT_EQ(std::accumulate(buckets.counts.begin(), buckets.counts.end(), uint64_t{0}), 3U);
}

}  // namespace
}  // namespace sonde
