// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/trace_window.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

constexpr std::chrono::seconds kSecond{1};
constexpr size_t kMaxSkippedIds =
    1'000'000;  // 16 MB; beyond, traces of several spans may be counted twice

}  // namespace

void TraceWindow::Add(const Span& span, TimePoint now) {
  const uint64_t id = OpaqueIdHash()(span.trace_id);
  const auto found = traces_.find(id);
  if (found != traces_.end()) {
    Trace& trace = found->second;
    trace.last = now;
    if (trace.spans.size() < limits_.spans_per_trace) trace.spans.push_back(span);
    return;
  }
  if (admitted_ >= limits_.traces_per_second || skipped_traces_.contains(id)) {
    Skip(span);
    return;
  }
  ++admitted_;
  traces_.emplace(id, Trace{.spans = {span}, .first = now, .last = now});
}

void TraceWindow::Skip(const Span& span) {
  if (span.status == SpanStatus::kError) ++skipped_.failed_spans;
  if (skipped_traces_.size() >= kMaxSkippedIds) skipped_traces_.clear();
  if (skipped_traces_.insert(OpaqueIdHash()(span.trace_id)).second) ++skipped_.traces;
}

std::vector<std::vector<Span>> TraceWindow::Take(TimePoint now, bool all) {
  std::vector<Trace> ready;
  for (auto it = traces_.begin(); it != traces_.end();) {
    const Trace& trace = it->second;
    if (all || now - trace.last >= limits_.quiet || now - trace.first >= limits_.longest) {
      ready.push_back(std::move(it->second));
      traces_.erase(it++);
    } else {
      ++it;
    }
  }
  const auto start = [](const Trace& trace) {
    return std::ranges::min_element(
               trace.spans,
               [](const Span& a, const Span& b) { return a.start_wall_ns < b.start_wall_ns; })
        ->start_wall_ns;
  };
  std::ranges::sort(ready, [&](const Trace& a, const Trace& b) { return start(a) < start(b); });
  std::vector<std::vector<Span>> taken;
  taken.reserve(ready.size());
  for (Trace& trace : ready) taken.push_back(std::move(trace.spans));
  return taken;
}

TraceWindow::Skipped TraceWindow::TakeSkipped(TimePoint now, bool all) {
  if (!all && now - second_ < kSecond) return {};
  second_ = now;
  admitted_ = 0;
  skipped_traces_.clear();
  return std::exchange(skipped_, {});
}

}  // namespace sonde::exporter
