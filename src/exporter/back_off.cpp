// SPDX-License-Identifier: Apache-2.0
#include "exporter/back_off.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace sonde::exporter {

BackOff::BackOff(const RetryOptions& options)
    : options_(options), random_(std::random_device{}()) {}

std::chrono::milliseconds BackOff::Delay(unsigned failures) {
  constexpr unsigned kMaxDoublings =
      20;  // keeps the product in range; the cap is reached long before
  const int64_t doubled = options_.initial.count() << std::min(failures - 1, kMaxDoublings);
  const int64_t full = std::min(doubled, static_cast<int64_t>(options_.max.count()));
  std::uniform_int_distribution<int64_t> jitter(full / 2, full);
  return std::chrono::milliseconds(jitter(random_));
}

}  // namespace sonde::exporter
