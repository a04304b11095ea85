// SPDX-License-Identifier: Apache-2.0
// A map that forgets what was not written or read for a while: two generations, the older one
// dropped when the younger is full. For what has no end that could be seen (goroutines, contexts,
// tasks).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <utility>

namespace sonde::trace {

template <typename Key, typename Value>
class RecentMap {
 public:
  // At most twice `generation` entries.
  explicit RecentMap(size_t generation) : generation_(generation) {}

  // Null: not known, or forgotten. Valid until the next call.
  Value* Find(const Key& key) {
    if (const auto found = young_.find(key); found != young_.end()) return &found->second;
    const auto found = old_.find(key);
    if (found == old_.end()) return nullptr;
    Value value = std::move(found->second);
    old_.erase(found);
    return &Put(key, std::move(value));
  }

  Value& Put(const Key& key, Value value) {
    if (young_.size() >= generation_ && !young_.contains(key)) {
      old_ = std::move(young_);
      young_.clear();
    }
    return young_[key] = std::move(value);
  }

  void Erase(const Key& key) {
    young_.erase(key);
    old_.erase(key);
  }

 private:
  size_t generation_;
  absl::flat_hash_map<Key, Value> young_;
  absl::flat_hash_map<Key, Value> old_;
};

}  // namespace sonde::trace
