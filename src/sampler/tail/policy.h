// SPDX-License-Identifier: Apache-2.0
// The policies of tail sampling: the names and the meaning of the OpenTelemetry Collector's
// tail_sampling processor, so that its policy blocks can be used here. Each looks at all spans of a
// trace and votes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {

// An inverted match outvotes: see Decide().
enum class Vote : uint8_t { kSampled, kNotSampled, kInvertSampled, kInvertNotSampled };

// What is known of a trace when it is decided. `second`: of a clock that goes forward, for rates.
struct TraceView {
  const std::vector<Span>& spans;
  uint64_t second = 0;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual Vote Ask(const TraceView& trace) = 0;
};

// Refuses what makes no sense (a regular expression that is none, a composite of nothing).
Result<std::unique_ptr<Policy>> MakePolicy(const TailPolicy& options);

// All votes together: an inverted policy that matched forbids; else one that samples is enough; an
// inverted one that did not match samples only if nobody else objects.
bool Decide(const std::vector<Vote>& votes);

}  // namespace sonde::sampler
