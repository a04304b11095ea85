// SPDX-License-Identifier: Apache-2.0
// Counts records by type, and those that could not be decoded. Drain thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "kernel/decode.h"
#include "sonde/base/metrics.h"

namespace sonde::kernel {

class EventCounters {
 public:
  explicit EventCounters(MetricRegistry& metrics);

  // `record`: what was given to Decode, which said `outcome`.
  void Count(std::string_view record, DecodeOutcome outcome);

 private:
  static constexpr size_t kTypes = 10;  // 1 + the largest enum sonde_record_type

  std::array<Counter*, kTypes> by_type_{};
  Counter& invalid_;
  Counter& unknown_;
};

}  // namespace sonde::kernel
