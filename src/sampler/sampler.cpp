// SPDX-License-Identifier: Apache-2.0
#include "sampler/sampler.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

// OpenTelemetry "Probability Sampling": randomness is the low 56 bits of the trace id (W3C Trace
// Context Level 2, random-trace-id flag), and a span is kept if randomness >= (1 - ratio) * 2^56.
constexpr uint64_t kRandomnessEnd = uint64_t{1} << 56;
constexpr size_t kRandomBytes = 7;
constexpr uint8_t kSampledFlag = 1;

uint64_t RandomnessOf(const TraceId& id) {
  uint64_t value = 0;
  for (size_t i = id.bytes.size() - kRandomBytes; i < id.bytes.size(); ++i) {
    value = value << 8 | id.bytes[i];
  }
  return value;
}

std::optional<double> RatioOf(const SamplerOptions& options) {
  if (options.root == "always_on") return 1.0;
  if (options.root == "always_off") return 0.0;
  if (options.root == "trace_id_ratio_based") return options.ratio;
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Sampler>> Sampler::Create(const SamplerOptions& options, SpanSink& next,
                                                 MetricRegistry& metrics) {
  Counter& dropped = metrics.AddCounter("sonde_spans_dropped_total",
                                        "Spans that were begun and not exported, by reason.",
                                        {{"reason", "sampled_out"}});
  auto sampler = absl::WrapUnique(new Sampler(next, dropped));
  if (Status status = sampler->Configure(options); !status.ok()) return status;
  return sampler;
}

Status Sampler::Configure(const SamplerOptions& options) {
  const std::optional<double> ratio = RatioOf(options);
  if (!ratio.has_value()) {
    return absl::InvalidArgumentError(
        "sampler '" + options.root +
        "' is unknown; expected always_on, always_off or trace_id_ratio_based");
  }
  if (!(*ratio >= 0 && *ratio <= 1)) {
    return absl::InvalidArgumentError("sampler ratio " + std::to_string(*ratio) +
                                      " is not between 0 and 1");
  }
  threshold_ =
      static_cast<uint64_t>(std::llround((1 - *ratio) * static_cast<double>(kRandomnessEnd)));
  parent_based_ = options.parent_based;
  return absl::OkStatus();
}

bool Sampler::Keep(const Span& span) const {
  if (parent_based_ && span.trace_from_header) {
    return (span.trace_flags & kSampledFlag) != 0;
  }
  return RandomnessOf(span.trace_id) >= threshold_;
}

void Sampler::OnSpan(Span span) {
  if (!Keep(span)) {
    dropped_.Add();
    return;
  }
  next_.OnSpan(std::move(span));
}

}  // namespace sonde::sampler
