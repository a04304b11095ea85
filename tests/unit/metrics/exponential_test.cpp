// SPDX-License-Identifier: Apache-2.0
#include "metrics/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>

#include "sonde/pipeline/metric.h"

namespace sonde::metrics {
namespace {

// Upper bounds are inclusive, lower ones are not (data model, "Exponential Buckets").
TEST(Exponential, PowersOfTwoEndTheirBucket) {
  EXPECT_EQ(BucketOf(1, 0), -1);
  EXPECT_EQ(BucketOf(1.0000001, 0), 0);
  EXPECT_EQ(BucketOf(2, 0), 0);
  EXPECT_EQ(BucketOf(2.5, 0), 1);
  EXPECT_EQ(BucketOf(4, 0), 1);
  EXPECT_EQ(BucketOf(4, 1), 3);
  EXPECT_EQ(BucketOf(3, 1), 3);  // (2 * sqrt 2, 4]
  EXPECT_EQ(BucketOf(2.5, 1), 2);
  EXPECT_EQ(BucketOf(4, -1), 0);  // (1, 4]
  EXPECT_EQ(BucketOf(4.5, -1), 1);
  EXPECT_EQ(BucketOf(1, -1), -1);
  EXPECT_EQ(BucketOf(0.25, -1), -2);
}

TEST(Exponential, EveryValueLiesInItsBucket) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponents(-30, 30);
  for (const int32_t scale : {-3, 0, 1, 4, 10}) {
    const double base = std::pow(2.0, std::pow(2.0, -scale));
    for (int i = 0; i < 2000; ++i) {
      const double value = std::exp2(exponents(random));
      const int32_t bucket = BucketOf(value, scale);
      EXPECT_LE(value, std::pow(base, bucket + 1) * (1 + 1e-9)) << value << " at " << scale;
      EXPECT_GT(value, std::pow(base, bucket) * (1 - 1e-9)) << value << " at " << scale;
    }
  }
}

TEST(Exponential, KeepsEveryCountWithinItsBuckets) {
  ExponentialBuckets buckets{.scale = kMaxScale, .counts = {}};
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> values(0, 3);
  constexpr uint64_t kValues = 10'000;
  for (uint64_t i = 0; i < kValues; ++i) Record(buckets, values(random));
  EXPECT_LE(buckets.counts.size(), static_cast<size_t>(kMaxBuckets));
  EXPECT_EQ(std::accumulate(buckets.counts.begin(), buckets.counts.end(), uint64_t{0}), kValues);
  EXPECT_LT(buckets.scale, kMaxScale);
}

TEST(Exponential, WhatIsNotPositiveIsZero) {
  ExponentialBuckets buckets{.scale = kMaxScale, .counts = {}};
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

}  // namespace
}  // namespace sonde::metrics
