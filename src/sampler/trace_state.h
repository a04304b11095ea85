// SPDX-License-Identifier: Apache-2.0
// The `ot` member of a tracestate (OpenTelemetry, "TraceState Probability Sampling"): `th` is the
// rejection threshold that the trace was sampled with, `rv` its randomness; 1 to 14 hexadecimal
// digits of 56 bits, `rv` exactly 14.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::sampler {

// Sampled if the randomness is at least the threshold; kRandomnessEnd keeps nothing.
inline constexpr uint64_t kRandomnessEnd = uint64_t{1} << 56;

// Nothing if there is none, or it is malformed.
std::optional<uint64_t> RandomnessIn(std::string_view tracestate);
std::optional<uint64_t> ThresholdIn(std::string_view tracestate);

// The tracestate with this threshold in its `ot` member, which comes first; what else is in it
// stays.
std::string WithThreshold(std::string_view tracestate, uint64_t threshold);

}  // namespace sonde::sampler
