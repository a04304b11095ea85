// SPDX-License-Identifier: Apache-2.0
// How long to wait before a batch is sent again.
#pragma once

#include <chrono>
#include <random>

namespace sonde::exporter {

struct RetryOptions {
  std::chrono::milliseconds initial{500};
  std::chrono::milliseconds max{30'000};
  std::chrono::milliseconds max_elapsed{
      std::chrono::minutes(5)};  // from a batch's first attempt; then it is dropped
};

class BackOff {
 public:
  explicit BackOff(const RetryOptions& options);

  // Before attempt `failures` + 1, failures >= 1: exponential, with a random half so that many
  // hosts that lost the same endpoint do not come back at the same moment.
  std::chrono::milliseconds Delay(unsigned failures);

  const RetryOptions& options() const { return options_; }

 private:
  const RetryOptions options_;
  std::minstd_rand random_;
};

}  // namespace sonde::exporter
