// SPDX-License-Identifier: Apache-2.0
// What was decided about the latest traces, so that later spans of a trace share its fate. One
// thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <deque>
#include <optional>

#include "sonde/base/ids.h"

namespace sonde::sampler {

template <typename Decision>
class DecisionCache {
 public:
  explicit DecisionCache(size_t capacity) : capacity_(capacity) {}

  std::optional<Decision> Find(const TraceId& id) const {
    const auto found = decisions_.find(id);
    return found == decisions_.end() ? std::nullopt : std::optional(found->second);
  }
  // Forgets the oldest decision if there is no room.
  void Add(const TraceId& id, Decision decision) {
    if (!decisions_.emplace(id, decision).second) return;
    order_.push_back(id);
    if (order_.size() <= capacity_) return;
    decisions_.erase(order_.front());
    order_.pop_front();
  }

 private:
  size_t capacity_;
  absl::flat_hash_map<TraceId, Decision, OpaqueIdHash> decisions_;
  std::deque<TraceId> order_;
};

}  // namespace sonde::sampler
