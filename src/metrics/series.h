// SPDX-License-Identifier: Apache-2.0
// One series of one metric: a histogram, or a count, with its attributes. The drain thread records;
// any thread may read. The lock is per series and held for less than a microsecond, so that a
// scrape never holds up the drain thread for longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

using Bounds = std::shared_ptr<const std::vector<double>>;

class Series {
 public:
  // `bounds` null: a count without distribution. `exponential`: exponential buckets too.
  Series(uint64_t number, std::shared_ptr<const Attributes> attributes, Bounds bounds,
         bool exponential, uint64_t start_wall_ns);

  void Record(double value, uint64_t now_ns);
  void Count(uint64_t now_ns);
  // Of a value that goes up and down.
  void Add(double change, uint64_t now_ns);
  // Used, without a value.
  void Touch(uint64_t now_ns);
  // The value was recorded before, and its trace is kept.
  void Keep(const Exemplar& exemplar);

  MetricPoint Read() const;
  // The last use; never, as long as something is counted that has not ended.
  uint64_t idle_since_ns() const;

 private:
  size_t BucketOf(double value) const;

  const std::shared_ptr<const Attributes> attributes_;
  const Bounds bounds_;
  mutable std::mutex mutex_;
  bool open_ = false;                // of Add(): not zero
  MetricPoint point_;                // without attributes and exemplars
  std::vector<Exemplar> exemplars_;  // the latest of each bucket; empty until there is one
  uint64_t used_ns_ = 0;
};

}  // namespace sonde::metrics
