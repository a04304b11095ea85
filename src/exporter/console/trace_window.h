// SPDX-License-Identifier: Apache-2.0
// Which traces the tree shows and when: a trace is shown once no span of it has come for a moment,
// and in each second only so many are; the others are counted. Memory is bounded by the same
// numbers, whatever the load.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class TraceWindow {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Limits {
    std::chrono::milliseconds quiet{300};     // without a new span: the trace is complete
    std::chrono::milliseconds longest{1000};  // since its first span: shown as it is
    size_t traces_per_second = 100;
    size_t spans_per_trace = 1000;
  };

  struct Skipped {
    uint64_t traces = 0;
    uint64_t failed_spans = 0;
  };

  explicit TraceWindow(const Limits& limits) : limits_(limits) {}

  void Add(const Span& span, TimePoint now);

  // Traces to show now, in order of their first span; all that are held if `all`.
  std::vector<std::vector<Span>> Take(TimePoint now, bool all);

  // Once a second, what was left out since the last time; else nothing.
  Skipped TakeSkipped(TimePoint now, bool all);

 private:
  struct Trace {
    std::vector<Span> spans;
    TimePoint first;
    TimePoint last;
  };

  void Skip(const Span& span);

  const Limits limits_;
  absl::flat_hash_map<uint64_t, Trace> traces_;   // by the trace id's hash: ids are random
  absl::flat_hash_set<uint64_t> skipped_traces_;  // of this second
  Skipped skipped_;
  size_t admitted_ = 0;  // traces of this second
  TimePoint second_;     // when it began
};

}  // namespace sonde::exporter
