// SPDX-License-Identifier: Apache-2.0
// One exporter behind one bounded queue and one thread: whatever an endpoint does, only its own
// queue fills up. Retries with exponential back-off and jitter, honours what the receiver asks for,
// and accounts for every span:
//   accepted + found on disk + dropped(queue_full) = exported + dropped(other reasons) + in queue.
//
// With a spool, a second thread writes each batch to disk before it is sent, and memory holds only
// the newest of them: what cannot be delivered waits there for as long as the spool's bounds allow,
// across restarts. A batch that the disk does not take waits in memory as without a spool.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "exporter/back_off.h"
#include "exporter/batch.h"
#include "exporter/queue/spool.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

// An exporter, its value in the metrics, which no other has, and its queue on disk, if any.
struct Destination {
  std::unique_ptr<SpanExporter> exporter;
  std::string label;
  std::unique_ptr<Spool> spool;
};

class BatchProcessor {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `metrics` outlives it.
  BatchProcessor(Destination destination, const BatchOptions& options, const RetryOptions& retry,
                 MetricRegistry& metrics);
  BatchProcessor(const BatchProcessor&) = delete;
  BatchProcessor& operator=(const BatchProcessor&) = delete;
  // Without a Shutdown() before, what is queued is lost (and counted).
  ~BatchProcessor();

  // Drain thread: never waits for the exporter. A batch that does not fit is dropped and counted.
  void Enqueue(Batch batch);

  // Drain thread. Above kFine memory holds an eighth of what it may otherwise: what is on disk too
  // is forgotten here, of the rest the oldest is dropped.
  void SetMemoryLevel(MemoryLevel level);

  // Waits until all that was enqueued before has left the queue. False if `deadline` came first.
  bool ForceFlush(TimePoint deadline);

  // The two halves of a shutdown, so that several processors can use the same time: Begin tells the
  // thread to finish by `deadline`, Finish waits for it, tells in the log what was lost or is kept,
  // and returns how many spans were dropped. Idempotent.
  void BeginShutdown(TimePoint deadline);
  size_t FinishShutdown();

  const std::string& label() const { return label_; }

 private:
  // kAbandoned: sonde stops before there is an answer.
  enum class Verdict : uint8_t { kAgain, kOver, kAbandoned };

  // One batch. With a spool: first only in memory and `is_new`, then also on disk, then perhaps
  // only there.
  struct Entry {
    Batch batch{};
    std::optional<Spool::Item> stored{};
    size_t spans = 0;
    bool is_new = false;  // the spool has not had it yet
  };

  struct Attempt {
    TimePoint expiry;
    unsigned count = 0;
  };

  void TakeFound();
  void Run();
  bool WaitForBatch(std::unique_lock<std::mutex>& lock);
  // Of the front, from disk if need be; null if it is lost.
  Batch Load(std::unique_lock<std::mutex>& lock);
  Verdict DeliverFront(std::unique_lock<std::mutex>& lock);
  ExportOutcome ExportOnce(const Batch& batch, std::unique_lock<std::mutex>& lock);
  // Judges an outcome; kAgain after having waited for the next attempt.
  Verdict Settle(const Batch& batch, const ExportOutcome& outcome, Attempt& attempt,
                 std::unique_lock<std::mutex>& lock);
  Verdict WaitForRetry(const Batch& batch, const ExportOutcome& outcome, Attempt& attempt,
                       std::unique_lock<std::mutex>& lock);
  size_t memory_limit() const;
  void Shed();
  void PopFront(std::unique_lock<std::mutex>& lock);
  void Delivered(size_t spans, const ExportOutcome& outcome);
  void Drop(size_t spans, Counter& reason);
  void Tick(std::unique_lock<std::mutex>& lock);
  void AbandonQueue(std::unique_lock<std::mutex>& lock);
  void TellTheEnd() const;
  bool GiveUp()
      const;  // shutting down, and its deadline has come or the endpoint proved to be away

  void RunSpool();
  void Store(std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<SpanExporter> exporter_;
  const std::unique_ptr<Spool> spool_;  // may be null
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
    Counter& dropped_unreadable;
    Counter& dropped_memory;
  };
  static Counters MakeCounters(const std::string& label, MetricRegistry& metrics);
  const Counters counters_;
  Gauge& queue_length_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;   // the thread waits: a batch, a retry time, a shutdown
  std::condition_variable idle_;   // ForceFlush waits
  std::condition_variable store_;  // the spool's thread waits: a new batch, a shutdown
  std::deque<Entry> queue_;        // front is being exported while busy; the last new_ are new
  size_t new_ = 0;
  size_t memory_spans_ = 0;  // of the entries that have their batch in memory
  MemoryLevel memory_ = MemoryLevel::kFine;
  uint64_t enqueued_ = 0;  // batches, ever
  uint64_t settled_ = 0;   // batches, ever
  bool over_ = false;      // nothing more will be exported
  bool stopping_ = false;
  TimePoint stop_deadline_;
  unsigned stop_failures_ = 0;  // failed attempts since the shutdown began
  size_t undelivered_ = 0;
  size_t kept_ = 0;        // spans left on disk
  bool reachable_ = true;  // logs only the changes
  TimePoint next_tick_;
  // Last: they start when all else is there.
  std::thread thread_;
  std::thread spool_thread_;
};

}  // namespace sonde::exporter
