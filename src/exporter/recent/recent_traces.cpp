// SPDX-License-Identifier: Apache-2.0
#include "exporter/recent/recent_traces.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "exporter/batch.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

void RecentTraces::Add(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  if (max_requests_ > 0) {
    for (const Span& span : *batch) Remember(span);
  }
  batches_.push_back(batch);
  spans_ += batch->size();
  while (spans_ > max_spans_ && batches_.size() > 1) {
    spans_ -= batches_.front()->size();
    batches_.pop_front();
  }
}

void RecentTraces::Remember(const Span& span) {
  if (span.kind != SpanKind::kServer || span.tgid == 0) return;
  const Residence request{.trace_id = span.trace_id,
                          .span_id = span.span_id,
                          .start_wall_ns = span.start_wall_ns,
                          .end_wall_ns = span.end_wall_ns,
                          .tgid = span.tgid,
                          .tid = span.tid,
                          .answer_tid = span.answer_tid};
  if (requests_.size() < max_requests_) {
    requests_.push_back(request);
    return;
  }
  requests_[next_] = request;
  next_ = (next_ + 1) % max_requests_;
}

std::vector<Batch> RecentTraces::Batches() const {
  const std::lock_guard lock(mutex_);
  return {batches_.begin(), batches_.end()};
}

std::vector<Residence> RecentTraces::At(uint32_t tgid, uint32_t tid, uint64_t wall_ns) const {
  std::vector<Residence> found;
  {
    const std::lock_guard lock(mutex_);
    for (const Residence& request : requests_) {
      const bool there = request.tgid == tgid && request.start_wall_ns <= wall_ns &&
                         wall_ns <= request.end_wall_ns;
      if (there && (tid == 0 || request.tid == tid || request.answer_tid == tid)) {
        found.push_back(request);
      }
    }
  }
  std::ranges::sort(found, std::ranges::greater(), &Residence::start_wall_ns);
  return found;
}

}  // namespace sonde::exporter
