// SPDX-License-Identifier: Apache-2.0
// Base-2 exponential histogram (OpenTelemetry metrics data model): starts as fine as it may and
// halves its resolution whenever the buckets do not suffice. One thread.
#pragma once

#include <cstdint>

#include "sonde/pipeline/metric.h"

namespace sonde::metrics {

// Defaults of the specification's Base2 Exponential Bucket Histogram Aggregation.
inline constexpr int32_t kMaxScale = 20;
inline constexpr int32_t kMaxBuckets = 160;

// Number of the bucket that `value` (positive, finite) is in at `scale`.
int32_t BucketOf(double value, int32_t scale);

// Merges buckets until the scale is `scale`, which must not be above the present one.
void Downscale(ExponentialBuckets& buckets, int32_t scale);

// Counts a value. Zero, negative and not finite ones are counted as zero.
void Record(ExponentialBuckets& buckets, double value);

}  // namespace sonde::metrics
