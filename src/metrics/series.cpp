// SPDX-License-Identifier: Apache-2.0
#include "metrics/series.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

#include "sonde/pipeline/exponential.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

Series::Series(uint64_t number, std::shared_ptr<const Attributes> attributes, Bounds bounds,
               bool exponential, uint64_t start_wall_ns)
    : attributes_(std::move(attributes)), bounds_(std::move(bounds)) {
  point_.series = number;
  point_.start_wall_ns = start_wall_ns;
  if (bounds_ == nullptr) return;
  point_.counts.resize(bounds_->size() + 1);
  if (exponential)
    point_.exponential = ExponentialBuckets{.scale = kMaxExponentialScale, .counts = {}};
}

// The first bound that is not below the value.
size_t Series::BucketOf(double value) const {
  return static_cast<size_t>(std::ranges::lower_bound(*bounds_, value) - bounds_->begin());
}

void Series::Record(double value, uint64_t now_ns) {
  const size_t bucket = BucketOf(value);
  const std::lock_guard lock(mutex_);
  ++point_.counts[bucket];
  point_.min = point_.count == 0 ? value : std::min(point_.min, value);
  point_.max = point_.count == 0 ? value : std::max(point_.max, value);
  ++point_.count;
  point_.sum += value;
  if (point_.exponential) sonde::Record(*point_.exponential, value);
  used_ns_ = now_ns;
}

void Series::Count(uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  point_.value += 1;
  used_ns_ = now_ns;
}

void Series::Add(double change, uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  point_.value += change;
  open_ = point_.value != 0;
  used_ns_ = now_ns;
}

void Series::Touch(uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  used_ns_ = now_ns;
}

void Series::Keep(const Exemplar& exemplar) {
  const size_t bucket = BucketOf(exemplar.value);
  const std::lock_guard lock(mutex_);
  if (exemplars_.empty()) exemplars_.resize(point_.counts.size());
  exemplars_[bucket] = exemplar;
}

MetricPoint Series::Read() const {
  MetricPoint point;
  {
    const std::lock_guard lock(mutex_);
    point = point_;
    for (const Exemplar& exemplar : exemplars_) {
      if (exemplar.trace_id.valid()) point.exemplars.push_back(exemplar);
    }
  }
  point.attributes = attributes_;
  return point;
}

uint64_t Series::idle_since_ns() const {
  const std::lock_guard lock(mutex_);
  return open_ ? std::numeric_limits<int64_t>::max() : used_ns_;
}

}  // namespace sonde::metrics
