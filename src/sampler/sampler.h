// SPDX-License-Identifier: Apache-2.0
// Head sampling after OpenTelemetry's built-in samplers: always_on, always_off,
// trace_id_ratio_based, each optionally under parent_based. Decides per span from the trace id
// alone, so that all spans of a trace, on all hosts with the same ratio, share one fate. Drain
// thread.
#pragma once

#include <cstdint>
#include <memory>

#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {

class Sampler final : public SpanSink {
 public:
  // Refuses an unknown sampler name and a ratio outside 0 to 1. `next` and `metrics` outlive it.
  static Result<std::unique_ptr<Sampler>> Create(const SamplerOptions& options, SpanSink& next,
                                                 MetricRegistry& metrics);

  // A reload. On an error nothing changes.
  Status Configure(const SamplerOptions& options);

  void OnSpan(Span span) override;

 private:
  Sampler(SpanSink& next, Counter& dropped) : next_(next), dropped_(dropped) {}

  bool Keep(const Span& span) const;

  // Kept if the trace id's 56 random bits are at least this; 2^56 keeps nothing.
  uint64_t threshold_ = 0;
  bool parent_based_ = false;
  SpanSink& next_;
  Counter& dropped_;
};

}  // namespace sonde::sampler
