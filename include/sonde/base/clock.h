// SPDX-License-Identifier: Apache-2.0
// The two clocks: the kernel stamps records with CLOCK_MONOTONIC (mono_ns), spans carry Unix time
// (wall_ns).
#pragma once

#include <cstdint>

namespace sonde {

// Now, from CLOCK_MONOTONIC and CLOCK_REALTIME, in nanoseconds.
uint64_t MonotonicNow();
uint64_t WallNow();

// Converts a monotonic stamp to Unix time. The difference is read again by Refresh(), which the
// drain thread calls about once a second so that a stepped wall clock is followed; a recording
// carries its own difference.
class WallClock {
 public:
  WallClock() { Refresh(); }
  explicit WallClock(int64_t wall_minus_mono_ns) : offset_ns_(wall_minus_mono_ns) {}

  void Refresh();
  int64_t offset_ns() const { return offset_ns_; }
  uint64_t ToWall(uint64_t mono_ns) const {
    return static_cast<uint64_t>(static_cast<int64_t>(mono_ns) + offset_ns_);
  }

 private:
  int64_t offset_ns_ = 0;
};

}  // namespace sonde
