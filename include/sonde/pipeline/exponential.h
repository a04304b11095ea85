// SPDX-License-Identifier: Apache-2.0
// Base-2 exponential histograms (OpenTelemetry metrics data model): as fine as the buckets allow,
// at half the resolution whenever they do not suffice. One thread.
#pragma once

#include <cstdint>

#include "sonde/pipeline/metric.h"

namespace sonde {

// Defaults of the specification's Base2 Exponential Bucket Histogram Aggregation.
inline constexpr int32_t kMaxExponentialScale = 20;
inline constexpr int32_t kMaxExponentialBuckets = 160;

// Number of the bucket that `value` (positive, finite) is in at `scale`.
int32_t ExponentialBucketOf(double value, int32_t scale);

// Merges buckets until the scale is `scale`, which must not be above the present one.
void Downscale(ExponentialBuckets& buckets, int32_t scale);

// Counts a value. Zero, negative and not finite ones are counted as zero.
void Record(ExponentialBuckets& buckets, double value);

// What was counted since `earlier`, an older state of the same histogram: empty buckets at both
// ends are cut off. Its scale is that of `now`, which cannot be above that of `earlier`.
ExponentialBuckets Since(const ExponentialBuckets& earlier, const ExponentialBuckets& now);

}  // namespace sonde
