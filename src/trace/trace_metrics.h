// SPDX-License-Identifier: Apache-2.0
// Self-metrics of the trace stage.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/span.h"
#include "trace/link_method.h"

namespace sonde::trace {

// Why a span went on before its root was settled.
enum class EarlyRelease : uint8_t { kHold, kLimit, kShutdown };

class TraceMetrics {
 public:
  explicit TraceMetrics(MetricRegistry& registry);

  void CountSpan(const Span& span);
  void CountLink(LinkMethod method) { links_.at(static_cast<size_t>(method))->Add(); }
  void CountAmbiguous() { ambiguous_.Add(); }
  void CountLeftOut(bool telemetry) { (telemetry ? left_out_telemetry_ : left_out_sdk_).Add(); }
  void CountUntracked() { untracked_.Add(); }
  void CountEarly(EarlyRelease reason) { early_.at(static_cast<size_t>(reason))->Add(); }
  void SetHeld(size_t held) { held_.Set(static_cast<int64_t>(held)); }

 private:
  struct SpanCounter {
    SpanKind kind;
    const char* protocol;  // compared by address: the names are the parsers' literals
    Counter* counter;
  };

  MetricRegistry& registry_;
  std::vector<SpanCounter> spans_;  // one per kind and protocol, so a handful
  std::array<Counter*, kLinkMethods> links_{};
  std::array<Counter*, 3> early_{};
  Counter& ambiguous_;
  Counter& untracked_;
  Counter& left_out_sdk_;
  Counter& left_out_telemetry_;
  Gauge& held_;
};

}  // namespace sonde::trace
