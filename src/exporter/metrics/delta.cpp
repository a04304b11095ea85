// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/delta.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/pipeline/exponential.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"

namespace sonde::exporter {
namespace {

bool IsAdditive(MetricKind kind) {
  return kind == MetricKind::kSum || kind == MetricKind::kHistogram;
}

bool Moved(const MetricPoint& now, const MetricPoint& before) {
  return now.count != before.count || now.value != before.value;
}

// Those of `now` that were not there before.
void KeepNew(const std::vector<Exemplar>& before, std::vector<Exemplar>& now) {
  std::erase_if(now, [&](const Exemplar& exemplar) {
    return std::ranges::any_of(
        before, [&](const Exemplar& other) { return other.span_id == exemplar.span_id; });
  });
}

void SubtractPoint(const MetricPoint& before, MetricPoint& point) {
  // A value that was read elsewhere may have begun anew.
  if (point.value >= before.value) point.value -= before.value;
  point.count -= before.count;
  point.sum -= before.sum;
  for (size_t i = 0; i < point.counts.size() && i < before.counts.size(); ++i) {
    point.counts[i] -= before.counts[i];
  }
  if (point.exponential && before.exponential) {
    point.exponential = sonde::Since(*before.exponential, *point.exponential);
  }
  KeepNew(before.exemplars, point.exemplars);
}

}  // namespace

// Null: never delivered.
const DeltaState::Last* DeltaState::Seen(const Key& key) {
  const auto last = delivered_.find(key);
  if (last == delivered_.end()) return nullptr;
  last->second.seen = collection_;
  return &last->second;
}

std::vector<ResourceMetrics> DeltaState::Since(std::vector<ResourceMetrics> cumulative,
                                               uint64_t wall_ns) {
  ++collection_;
  sent_.clear();
  for (ResourceMetrics& of : cumulative) {
    for (MetricData& data : of.metrics) {
      if (!IsAdditive(data.kind)) continue;
      data.delta = true;
      std::erase_if(data.points, [&](MetricPoint& point) {
        const Key key{point.series, data.kind};
        const Last* last = Seen(key);
        if (!Moved(point, last == nullptr ? MetricPoint() : last->point)) return true;
        sent_.emplace(key, point);
        if (last != nullptr) {
          point.start_wall_ns = std::min(last->wall_ns, wall_ns);  // the clock may have been set
          SubtractPoint(last->point, point);
        }
        return false;
      });
    }
    std::erase_if(of.metrics, [](const MetricData& data) { return data.points.empty(); });
  }
  std::erase_if(cumulative, [](const ResourceMetrics& of) { return of.metrics.empty(); });
  // Series that are no more.
  absl::erase_if(delivered_, [&](const auto& last) { return last.second.seen != collection_; });
  return cumulative;
}

void DeltaState::Delivered(const MetricBatch& batch) {
  for (const ResourceMetrics& of : batch.resources) {
    for (const MetricData& data : of.metrics) {
      if (!data.delta) continue;
      for (const MetricPoint& point : data.points) {
        const Key key{point.series, data.kind};
        const auto whole = sent_.find(key);
        if (whole == sent_.end()) continue;
        delivered_[key] = {std::move(whole->second), batch.wall_ns, collection_};
        sent_.erase(whole);
      }
    }
  }
}

}  // namespace sonde::exporter
