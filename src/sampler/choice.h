// SPDX-License-Identifier: Apache-2.0
// One sampler that needs no others: decides from the trace id, or from how many traces there were
// this second. One thread.
#pragma once

#include <cstdint>

#include "sonde/base/ids.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {

class Choice {
 public:
  Choice() = default;  // always_on
  // Refuses what it does not know, and numbers that are none.
  static Result<Choice> Create(const SamplerChoice& options);

  // `now_ns`: for the rate, any clock that only goes forward.
  bool Keep(const Span& span, uint64_t now_ns);
  // Decides the same about every span of a trace, without remembering.
  bool by_trace_id() const { return rate_ == 0; }
  // A share of the traces, which tracestate then says.
  bool is_ratio() const { return is_ratio_; }
  uint64_t threshold() const { return threshold_; }

 private:
  uint64_t threshold_ = 0;
  bool is_ratio_ = false;
  double rate_ = 0;     // traces per second; 0: no rate
  double balance_ = 0;  // token bucket of one second
  uint64_t filled_ns_ = 0;
};

}  // namespace sonde::sampler
