// SPDX-License-Identifier: Apache-2.0
#include "sonde/pipeline/exponential.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/pipeline/metric.h"

namespace sonde {

int32_t ExponentialBucketOf(double value, int32_t scale) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // value = fraction * 2^exponent, [0.5, 1)
  // Upper bounds are inclusive: an exact power of two is the last value of the bucket below.
  if (fraction == 0.5) {
    --exponent;
    return scale >= 0 ? static_cast<int32_t>((static_cast<int64_t>(exponent) << scale) - 1)
                      : (exponent - 1) >> -scale;
  }
  if (scale <= 0) return (exponent - 1) >> -scale;
  const double log = std::ldexp(std::log2(fraction), scale);
  const int64_t top = static_cast<int64_t>(exponent) << scale;
  return static_cast<int32_t>(top + static_cast<int64_t>(std::ceil(log)) - 1);
}

void Downscale(ExponentialBuckets& buckets, int32_t scale) {
  const int32_t shift = buckets.scale - scale;
  if (shift <= 0) return;
  buckets.scale = scale;
  if (buckets.counts.empty()) return;
  const int32_t offset = buckets.offset >> shift;
  const int32_t last = (buckets.offset + static_cast<int32_t>(buckets.counts.size()) - 1) >> shift;
  std::vector<uint64_t> merged(static_cast<size_t>(last - offset + 1));
  for (size_t i = 0; i < buckets.counts.size(); ++i) {
    const int32_t bucket = (buckets.offset + static_cast<int32_t>(i)) >> shift;
    merged[static_cast<size_t>(bucket - offset)] += buckets.counts[i];
  }
  buckets.offset = offset;
  buckets.counts = std::move(merged);
}

void Record(ExponentialBuckets& buckets, double value) {
  if (!(value > 0) || !std::isfinite(value)) {
    ++buckets.zero_count;
    return;
  }
  int32_t bucket = ExponentialBucketOf(value, buckets.scale);
  if (buckets.counts.empty()) {
    buckets.offset = bucket;
    buckets.counts.push_back(1);
    return;
  }
  int32_t scale = buckets.scale;
  // From the smallest to the largest double is more than 2^31 buckets at the finest scale.
  int64_t low = std::min(bucket, buckets.offset);
  int64_t high = std::max(bucket, buckets.offset + static_cast<int32_t>(buckets.counts.size()) - 1);
  while (high - low >= kMaxExponentialBuckets) {
    low >>= 1;
    high >>= 1;
    --scale;
  }
  if (scale != buckets.scale) {
    bucket >>= buckets.scale - scale;
    Downscale(buckets, scale);
  }
  if (bucket < buckets.offset) {
    buckets.counts.insert(buckets.counts.begin(), static_cast<size_t>(buckets.offset - bucket), 0);
    buckets.offset = bucket;
  }
  const auto at = static_cast<size_t>(bucket - buckets.offset);
  if (at >= buckets.counts.size()) buckets.counts.resize(at + 1);
  ++buckets.counts[at];
}

ExponentialBuckets Since(const ExponentialBuckets& earlier, const ExponentialBuckets& now) {
  ExponentialBuckets before = earlier;
  Downscale(before, now.scale);
  ExponentialBuckets added = now;
  added.zero_count -= std::min(before.zero_count, added.zero_count);
  for (size_t i = 0; i < before.counts.size(); ++i) {
    const int64_t at = before.offset + static_cast<int64_t>(i) - now.offset;
    if (at < 0 || at >= static_cast<int64_t>(added.counts.size())) continue;
    uint64_t& count = added.counts[static_cast<size_t>(at)];
    count -= std::min(count, before.counts[i]);
  }
  const auto is_used = [](uint64_t count) { return count > 0; };
  const auto first = std::ranges::find_if(added.counts, is_used);
  added.offset += static_cast<int32_t>(first - added.counts.begin());
  added.counts.erase(added.counts.begin(), first);
  while (!added.counts.empty() && added.counts.back() == 0) added.counts.pop_back();
  if (added.counts.empty()) added.offset = 0;
  return added;
}

}  // namespace sonde
