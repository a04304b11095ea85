// SPDX-License-Identifier: Apache-2.0
// The newest spans that were kept, for the admin endpoint: whole batches, which the exporters
// share, and beside them, for longer, which request was on which thread when. The drain thread pays
// one lock per batch and 56 bytes per request; a reader holds the lock while it copies pointers, or
// looks through the requests (about 50 us for 50,000).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "exporter/batch.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// A request that a process served.
struct Residence {
  TraceId trace_id;
  SpanId span_id;
  uint64_t start_wall_ns = 0;
  uint64_t end_wall_ns = 0;
  uint32_t tgid = 0;
  uint32_t tid = 0;         // who read the request
  uint32_t answer_tid = 0;  // who wrote the response
};

class RecentTraces {
 public:
  // At most so many spans, beyond those of one batch, and so many requests.
  RecentTraces(size_t max_spans, size_t max_requests)
      : max_spans_(max_spans), max_requests_(max_requests) {}

  // Drain thread.
  void Add(const Batch& batch);

  // Any thread. Oldest first.
  std::vector<Batch> Batches() const;
  // The requests that the process was serving at that time, and, unless 0, on that thread. Latest
  // start first.
  std::vector<Residence> At(uint32_t tgid, uint32_t tid, uint64_t wall_ns) const;

 private:
  void Remember(const Span& span);

  const size_t max_spans_;
  const size_t max_requests_;
  mutable std::mutex mutex_;
  std::deque<Batch> batches_;
  size_t spans_ = 0;
  std::vector<Residence> requests_;  // a ring once it is full
  size_t next_ = 0;
};

}  // namespace sonde::exporter
