// SPDX-License-Identifier: Apache-2.0
// `sonde.limits.memory`: watches the resident memory of the whole agent. The large consumers are
// bounded one by one (connections, held spans, queues); this ties them together for the rest, and
// for configurations whose bounds add up to more. Drain thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"

namespace sonde::agent {

// Resident bytes of this process, from /proc; 0 if it cannot be read.
size_t ResidentBytes();

class MemoryGuard {
 public:
  // Above 75 % of the limit the level is kSoft, above 90 % kHard: what is left is for what still
  // moves until the stages obey.
  static constexpr size_t kSoftPct = 75;
  static constexpr size_t kHardPct = 90;

  MemoryGuard(size_t limit_bytes, MetricRegistry& metrics,
              std::function<size_t()> resident = ResidentBytes);

  // Reads at most every 20 ms. Before it calls memory scarce it asks the allocator to give back
  // what is free, at most once a second.
  MemoryLevel Check(uint64_t mono_ns);

 private:
  MemoryLevel LevelOf(size_t bytes) const;

  const size_t soft_bytes_;
  const size_t hard_bytes_;
  const std::function<size_t()> resident_;
  Gauge& level_gauge_;
  MemoryLevel level_ = MemoryLevel::kFine;
  uint64_t read_mono_ns_ = 0;
  uint64_t trimmed_mono_ns_ = 0;
};

}  // namespace sonde::agent
