// SPDX-License-Identifier: Apache-2.0
// Delta temporality: what was added to each series since the receiver last had it. A collection
// that is not delivered changes nothing, so that the next one holds its part too. One thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"

namespace sonde::exporter {

class DeltaState {
 public:
  // Counters and histograms of the collection as deltas; those that did not move are left out.
  // Everything else stays as it is.
  std::vector<ResourceMetrics> Since(std::vector<ResourceMetrics> cumulative, uint64_t wall_ns);
  // The receiver has this batch of the latest collection.
  void Delivered(const MetricBatch& batch);

 private:
  // Calls and durations of a class of spans have one number.
  using Key = std::pair<uint64_t, MetricKind>;
  struct Last {
    MetricPoint point;  // cumulative
    uint64_t wall_ns = 0;
    uint64_t seen = 0;  // collection
  };
  const Last* Seen(const Key& key);

  absl::flat_hash_map<Key, Last> delivered_;
  absl::flat_hash_map<Key, MetricPoint> sent_;  // cumulative points behind the latest deltas
  uint64_t collection_ = 0;
};

}  // namespace sonde::exporter
