// SPDX-License-Identifier: Apache-2.0
// One exporter behind one bounded queue and one thread: whatever an endpoint does, only its own
// queue fills up. Retries with exponential back-off and jitter, honours what the receiver asks for,
// and accounts for every span:
//   accepted + dropped(queue_full) = exported + dropped(other reasons) + in queue.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exporter/back_off.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Shared because every exporter reads the same spans, each on its own thread and in its own time;
// immutable.
using Batch = std::shared_ptr<const std::vector<Span>>;

class BatchProcessor {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `label` is the exporter's value in the metrics, unique among the processors. `metrics` outlives
  // it.
  BatchProcessor(std::unique_ptr<SpanExporter> exporter, const BatchOptions& options,
                 const RetryOptions& retry, const std::string& label, MetricRegistry& metrics);
  BatchProcessor(const BatchProcessor&) = delete;
  BatchProcessor& operator=(const BatchProcessor&) = delete;
  // Without a Shutdown() before, what is queued is lost (and counted).
  ~BatchProcessor();

  // Drain thread: never waits for the exporter. A batch that does not fit is dropped and counted.
  void Enqueue(Batch batch);

  // Waits until all that was enqueued before has left the queue. False if `deadline` came first.
  bool ForceFlush(TimePoint deadline);

  // The two halves of a shutdown, so that several processors can use the same time: Begin tells the
  // thread to finish by `deadline`, Finish waits for it and returns how many spans were not
  // delivered. Idempotent.
  void BeginShutdown(TimePoint deadline);
  size_t FinishShutdown();

  const std::string& label() const { return label_; }

 private:
  enum class Verdict : uint8_t { kAgain, kOver };

  struct Attempt {
    TimePoint first;
    unsigned count = 0;
  };

  void Run();
  bool WaitForBatch(std::unique_lock<std::mutex>& lock);
  void Deliver(const Batch& batch, std::unique_lock<std::mutex>& lock);
  ExportOutcome ExportOnce(const Batch& batch, std::unique_lock<std::mutex>& lock);
  // Judges an outcome; kAgain after having waited for the next attempt.
  Verdict Settle(const Batch& batch, const ExportOutcome& outcome, Attempt& attempt,
                 std::unique_lock<std::mutex>& lock);
  Verdict WaitForRetry(const Batch& batch, const ExportOutcome& outcome, Attempt& attempt,
                       std::unique_lock<std::mutex>& lock);
  void Delivered(size_t spans, const ExportOutcome& outcome);
  void Drop(size_t spans, Counter& reason);
  void Tick(std::unique_lock<std::mutex>& lock);
  void AbandonQueue();
  bool GiveUp()
      const;  // shutting down, and its deadline has come or the endpoint proved to be away

  const std::unique_ptr<SpanExporter> exporter_;
  const BatchOptions options_;
  const std::string label_;
  BackOff back_off_;

  struct Counters {
    Counter& batches_done;
    Counter& batches_retried;
    Counter& batches_failed;
    Counter& spans_exported;
    Counter& spans_rejected;
    Counter& spans_failed;
    Counter& dropped_queue_full;
    Counter& dropped_rejected;
    Counter& dropped_failed;
    Counter& dropped_expired;
    Counter& dropped_shutdown;
  };
  static Counters MakeCounters(const std::string& label, MetricRegistry& metrics);
  const Counters counters_;
  Gauge& queue_length_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;  // the thread waits: a batch, a retry time, a shutdown
  std::condition_variable idle_;  // ForceFlush waits
  std::deque<Batch> queue_;       // front is being exported while busy_
  size_t queued_spans_ = 0;       // of queue_, the front included until it is settled
  uint64_t enqueued_ = 0;         // batches, ever
  uint64_t settled_ = 0;          // batches, ever
  bool stopping_ = false;
  TimePoint stop_deadline_;
  unsigned stop_failures_ = 0;  // failed attempts since the shutdown began
  size_t undelivered_ = 0;
  bool reachable_ = true;  // logs only the changes
  TimePoint next_tick_;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace sonde::exporter
