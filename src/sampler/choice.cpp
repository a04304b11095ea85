// SPDX-License-Identifier: Apache-2.0
#include "sampler/choice.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sampler/trace_state.h"
#include "sonde/base/ids.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

// OpenTelemetry "Probability Sampling": randomness is `rv` of the tracestate, else the low 56 bits
// of the trace id (W3C Trace Context Level 2, random-trace-id flag), and a span is kept if
// randomness >= (1 - ratio) * 2^56.
constexpr size_t kRandomBytes = 7;
constexpr double kNanosecondsPerSecond = 1e9;

uint64_t RandomnessOf(const Span& span) {
  if (!span.tracestate.empty()) {
    if (const auto explicit_randomness = RandomnessIn(span.tracestate)) return *explicit_randomness;
  }
  const auto& bytes = span.trace_id.bytes;
  uint64_t value = 0;
  for (size_t i = bytes.size() - kRandomBytes; i < bytes.size(); ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

Result<Choice> Choice::Create(const SamplerChoice& options) {
  Choice choice;
  if (options.kind == "always_on") return choice;
  if (options.kind == "always_off") {
    choice.threshold_ = kRandomnessEnd;
    return choice;
  }
  if (options.kind == "rate_limiting") {
    if (!(options.traces_per_second > 0) || std::isinf(options.traces_per_second)) {
      return absl::InvalidArgumentError("rate_limiting needs traces_per_second above 0");
    }
    choice.rate_ = options.traces_per_second;
    choice.balance_ = std::max(1.0, choice.rate_);
    return choice;
  }
  if (options.kind != "trace_id_ratio_based") {
    return absl::InvalidArgumentError("sampler '" + options.kind +
                                      "' is unknown; expected always_on, always_off, "
                                      "trace_id_ratio_based or rate_limiting");
  }
  if (!(options.ratio >= 0 && options.ratio <= 1)) {
    return absl::InvalidArgumentError("sampler ratio " + std::to_string(options.ratio) +
                                      " is not between 0 and 1");
  }
  choice.is_ratio_ = true;
  choice.threshold_ = static_cast<uint64_t>(
      std::llround((1 - options.ratio) * static_cast<double>(kRandomnessEnd)));
  return choice;
}

bool Choice::Keep(const Span& span, uint64_t now_ns) {
  if (rate_ == 0) {
    if (threshold_ == 0) return true;
    return threshold_ < kRandomnessEnd && RandomnessOf(span) >= threshold_;
  }
  if (now_ns > filled_ns_) {
    const double seconds = static_cast<double>(now_ns - filled_ns_) / kNanosecondsPerSecond;
    if (filled_ns_ != 0) balance_ = std::min(std::max(1.0, rate_), balance_ + (seconds * rate_));
    filled_ns_ = now_ns;
  }
  if (balance_ < 1) return false;
  balance_ -= 1;
  return true;
}

}  // namespace sonde::sampler
