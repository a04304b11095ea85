// SPDX-License-Identifier: Apache-2.0
#include "sonde/base/clock.h"

#include <cstdint>
#include <ctime>

namespace sonde {
namespace {

uint64_t Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return (static_cast<uint64_t>(now.tv_sec) * 1'000'000'000) + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t MonotonicNow() { return Read(CLOCK_MONOTONIC); }
uint64_t WallNow() { return Read(CLOCK_REALTIME); }

void WallClock::Refresh() {
  // The wall clock is read between two readings of the other, so that a preemption cannot skew the
  // difference much.
  const uint64_t before = MonotonicNow();
  const uint64_t wall = WallNow();
  const uint64_t after = MonotonicNow();
  offset_ns_ = static_cast<int64_t>(wall - (before + ((after - before) / 2)));
}

}  // namespace sonde
