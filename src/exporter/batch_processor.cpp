// SPDX-License-Identifier: Apache-2.0
#include "exporter/batch_processor.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "exporter/back_off.h"
#include "exporter/batch.h"
#include "exporter/queue/spool.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kTickInterval{100};
// An endpoint that fails this often once sonde is stopping is away: the process ends instead of
// waiting for it.
constexpr unsigned kStopFailures = 2;
constexpr milliseconds kStopRetryDelay{500};

}  // namespace

BatchProcessor::Counters BatchProcessor::MakeCounters(const std::string& label,
                                                      MetricRegistry& metrics) {
  const auto batches = [&](const char* result) -> Counter& {
    return metrics.AddCounter("sonde_export_batches_total",
                              "Attempts to export a batch, by result.",
                              {{"exporter", label}, {"result", result}});
  };
  const auto spans = [&](const char* result) -> Counter& {
    return metrics.AddCounter("sonde_export_spans_total", "Spans handed to an exporter, by result.",
                              {{"exporter", label}, {"result", result}});
  };
  const auto dropped = [&](const char* reason) -> Counter& {
    return metrics.AddCounter("sonde_spans_dropped_total",
                              "Spans that were begun and not exported, by reason.",
                              {{"reason", reason}, {"exporter", label}});
  };
  return {batches("done"),          batches("retry"),           batches("failed"),
          spans("exported"),        spans("rejected"),          spans("failed"),
          dropped("queue_full"),    dropped("export_rejected"), dropped("export_failed"),
          dropped("retry_expired"), dropped("shutdown"),        dropped("queue_unreadable"),
          dropped("memory_limit")};
}

BatchProcessor::BatchProcessor(Destination destination, const BatchOptions& options,
                               const RetryOptions& retry, MetricRegistry& metrics)
    : exporter_(std::move(destination.exporter)),
      spool_(std::move(destination.spool)),
      options_(options),
      label_(std::move(destination.label)),
      back_off_(retry),
      counters_(MakeCounters(label_, metrics)),
      queue_length_(
          metrics.AddGauge("sonde_export_queue_length",
                           "Spans waiting for an exporter, the batch in progress included.",
                           {{"exporter", label_}})),
      next_tick_(steady_clock::now() + kTickInterval) {
  if (spool_ != nullptr) TakeFound();
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), ("export-" + label_).substr(0, 15).c_str());
  if (spool_ == nullptr) return;
  spool_thread_ = std::thread([this] { RunSpool(); });
  pthread_setname_np(spool_thread_.native_handle(), ("spool-" + label_).substr(0, 15).c_str());
}

BatchProcessor::~BatchProcessor() {
  BeginShutdown(steady_clock::now());
  FinishShutdown();
}

void BatchProcessor::TakeFound() {
  for (Spool::Item& item : spool_->TakeFound()) {
    const size_t spans = item.batch.record.spans;
    queue_.push_back({.batch = nullptr, .stored = item, .spans = spans});
    queue_length_.Add(static_cast<int64_t>(spans));
    ++enqueued_;
  }
}

void BatchProcessor::Enqueue(Batch batch) {
  const size_t spans = batch->size();
  if (spans == 0) return;
  const bool to_disk = spool_ != nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || memory_spans_ + spans > memory_limit()) {
      if (stopping_) {
        Drop(spans, counters_.dropped_shutdown);
      } else {
        counters_.dropped_queue_full.Add(spans);
      }
      return;
    }
    queue_.push_back({.batch = std::move(batch), .spans = spans, .is_new = to_disk});
    if (to_disk) ++new_;
    memory_spans_ += spans;
    ++enqueued_;
  }
  queue_length_.Add(static_cast<int64_t>(spans));
  (to_disk ? store_ : wake_).notify_one();
}

size_t BatchProcessor::memory_limit() const {
  constexpr size_t kShare = 8;
  return memory_ == MemoryLevel::kFine ? options_.max_queue_size : options_.max_queue_size / kShare;
}

void BatchProcessor::SetMemoryLevel(MemoryLevel level) {
  const std::lock_guard lock(mutex_);
  memory_ = level;
  if (level != MemoryLevel::kFine) Shed();
}

// The front may be on its way, and what is new is being written: both stay. An entry that is given
// up stays in its place, empty.
void BatchProcessor::Shed() {
  for (size_t i = 1; i + new_ < queue_.size() && memory_spans_ > memory_limit(); ++i) {
    Entry& entry = queue_[i];
    if (entry.batch == nullptr) continue;
    entry.batch = nullptr;
    memory_spans_ -= entry.spans;
    if (entry.stored) continue;
    Drop(entry.spans, counters_.dropped_memory);
    queue_length_.Add(-static_cast<int64_t>(entry.spans));
    entry.spans = 0;
  }
}

bool BatchProcessor::ForceFlush(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  const uint64_t target = enqueued_;
  if (!idle_.wait_until(lock, deadline, [&] { return settled_ >= target; })) return false;
  lock.unlock();
  return true;
}

void BatchProcessor::BeginShutdown(TimePoint deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    stop_deadline_ = deadline;
  }
  wake_.notify_one();
  store_.notify_one();
}

size_t BatchProcessor::FinishShutdown() {
  if (thread_.joinable()) {
    {
      std::unique_lock lock(mutex_);
      const bool in_time = idle_.wait_until(lock, stop_deadline_, [&] { return over_; });
      // Whatever still runs is asked to return, so that the thread can be joined.
      if (!in_time) exporter_->Cancel();
    }
    wake_.notify_one();
    thread_.join();
    if (spool_thread_.joinable()) spool_thread_.join();
    TellTheEnd();
  }
  const std::lock_guard lock(mutex_);
  return undelivered_;
}

// What became of every span, if not all of them were delivered.
void BatchProcessor::TellTheEnd() const {
  const uint64_t dropped = counters_.spans_failed.value() + counters_.dropped_rejected.value() +
                           counters_.dropped_queue_full.value();
  if (dropped + kept_ == 0) return;
  std::string text = std::to_string(counters_.spans_exported.value()) + " spans exported, " +
                     std::to_string(dropped) + " dropped";
  if (spool_ != nullptr) {
    text +=
        ", " + std::to_string(kept_) + " kept in " + spool_->directory() + " for the next start";
  }
  spdlog::log(dropped > 0 ? spdlog::level::warn : spdlog::level::info, "exporter {}: {}", label_,
              text);
}

void BatchProcessor::Run() {
  std::unique_lock lock(mutex_);
  while (WaitForBatch(lock)) {
    if (DeliverFront(lock) == Verdict::kAbandoned) break;
    PopFront(lock);
    Tick(lock);
    idle_.notify_all();
  }
  AbandonQueue(lock);
  over_ = true;
  idle_.notify_all();
  lock.unlock();
  exporter_->Flush();
}

bool BatchProcessor::WaitForBatch(std::unique_lock<std::mutex>& lock) {
  while (true) {
    if (GiveUp()) return false;
    if (!queue_.empty() && !queue_.front().is_new) return true;
    if (stopping_ && queue_.empty()) return false;
    wake_.wait_until(lock, next_tick_);
    Tick(lock);
  }
}

Batch BatchProcessor::Load(std::unique_lock<std::mutex>& lock) {
  const Entry& front = queue_.front();
  if (front.batch != nullptr) return front.batch;
  if (!front.stored) return nullptr;  // it is in memory or on disk
  const Spool::Item item = *front.stored;
  lock.unlock();
  Batch batch = spool_->Get(item);
  lock.lock();
  return batch;
}

void BatchProcessor::PopFront(std::unique_lock<std::mutex>& lock) {
  const Entry front = std::move(queue_.front());
  queue_.pop_front();
  if (front.batch != nullptr) memory_spans_ -= front.spans;
  ++settled_;
  queue_length_.Add(-static_cast<int64_t>(front.spans));
  if (!front.stored) return;
  lock.unlock();
  spool_->Done(*front.stored);
  lock.lock();
}

// Writes one new batch after the other; the exporter's thread takes it from there.
void BatchProcessor::RunSpool() {
  std::unique_lock lock(mutex_);
  while (true) {
    store_.wait(lock, [this] { return new_ > 0 || stopping_; });
    if (new_ == 0) return;
    Store(lock);
    wake_.notify_one();
  }
}

void BatchProcessor::Store(std::unique_lock<std::mutex>& lock) {
  // Stays where it is: a new entry is never taken from the front, and a deque moves none.
  Entry& entry = queue_[queue_.size() - new_];
  const Batch batch = entry.batch;
  lock.unlock();
  const auto item = spool_->Put(batch);
  lock.lock();
  entry.stored = item;
  entry.is_new = false;
  --new_;
  // Half of the memory is for what is next to be sent, half for what is new.
  if (!entry.stored || memory_spans_ <= memory_limit() / 2) return;
  entry.batch = nullptr;
  memory_spans_ -= entry.spans;
}

void BatchProcessor::Tick(std::unique_lock<std::mutex>& lock) {
  const auto now = steady_clock::now();
  if (now < next_tick_) return;
  next_tick_ = now + kTickInterval;
  lock.unlock();
  exporter_->Tick();
  lock.lock();
}

bool BatchProcessor::GiveUp() const {
  return stopping_ && (steady_clock::now() >= stop_deadline_ || stop_failures_ >= kStopFailures);
}

BatchProcessor::Verdict BatchProcessor::DeliverFront(std::unique_lock<std::mutex>& lock) {
  const size_t spans = queue_.front().spans;
  if (spans == 0) return Verdict::kOver;  // given up
  const auto now = steady_clock::now();
  Attempt attempt{.expiry = now + back_off_.options().max_elapsed};
  if (const auto& stored = queue_.front().stored; stored.has_value()) {
    attempt.expiry = stored->expires;
    if (now >= attempt.expiry) {
      Drop(spans, counters_.dropped_expired);
      return Verdict::kOver;
    }
  }
  const Batch batch = Load(lock);
  if (batch == nullptr) {
    Drop(spans, counters_.dropped_unreadable);
    return Verdict::kOver;
  }
  Verdict verdict = Verdict::kAgain;
  while (verdict == Verdict::kAgain) {
    const ExportOutcome outcome = ExportOnce(batch, lock);
    verdict = Settle(batch, outcome, attempt, lock);
  }
  return verdict;
}

ExportOutcome BatchProcessor::ExportOnce(const Batch& batch, std::unique_lock<std::mutex>& lock) {
  TimePoint deadline = steady_clock::now() + options_.export_timeout;
  if (stopping_) deadline = std::min(deadline, stop_deadline_);
  lock.unlock();
  ExportOutcome outcome = exporter_->Export(*batch, deadline);
  lock.lock();
  return outcome;
}

BatchProcessor::Verdict BatchProcessor::Settle(const Batch& batch, const ExportOutcome& outcome,
                                               Attempt& attempt,
                                               std::unique_lock<std::mutex>& lock) {
  switch (outcome.code) {
    case ExportOutcome::Code::kDone:
      Delivered(batch->size(), outcome);
      return Verdict::kOver;
    case ExportOutcome::Code::kFailed:
      counters_.batches_failed.Add();
      Drop(batch->size(), counters_.dropped_failed);
      if (std::exchange(reachable_, false)) {
        spdlog::warn("exporter {}: {}; spans are dropped", label_, outcome.message);
      }
      return Verdict::kOver;
    case ExportOutcome::Code::kRetry:
      break;
  }
  counters_.batches_retried.Add();
  if (std::exchange(reachable_, false)) {
    spdlog::warn("exporter {}: {}; retrying", label_, outcome.message);
  }
  return WaitForRetry(batch, outcome, attempt, lock);
}

BatchProcessor::Verdict BatchProcessor::WaitForRetry(const Batch& batch,
                                                     const ExportOutcome& outcome, Attempt& attempt,
                                                     std::unique_lock<std::mutex>& lock) {
  ++attempt.count;
  if (stopping_) ++stop_failures_;
  const bool told = outcome.retry_after > milliseconds(0);
  const milliseconds delay = told ? outcome.retry_after : back_off_.Delay(attempt.count);
  const TimePoint now = steady_clock::now();
  if (now >= attempt.expiry && !GiveUp()) {
    Drop(batch->size(), counters_.dropped_expired);
    return Verdict::kOver;
  }
  // A receiver that asks for more time than there is gets all of it and one last attempt.
  TimePoint next = std::min(now + delay, attempt.expiry);
  while (!GiveUp()) {
    // A shutdown shortens our own pause, never the one that the receiver asked for.
    if (stopping_ && !told) next = std::min(next, now + kStopRetryDelay);
    if (steady_clock::now() >= next) return Verdict::kAgain;
    if (stopping_ && next >= stop_deadline_) break;
    wake_.wait_until(lock, std::min(next, next_tick_));
    Tick(lock);
  }
  return Verdict::kAbandoned;
}

void BatchProcessor::Delivered(size_t spans, const ExportOutcome& outcome) {
  if (!std::exchange(reachable_, true)) spdlog::info("exporter {}: delivers again", label_);
  stop_failures_ = 0;
  const size_t rejected = std::min(outcome.rejected, spans);
  counters_.batches_done.Add();
  counters_.spans_exported.Add(spans - rejected);
  if (rejected == 0) return;
  counters_.spans_rejected.Add(rejected);
  counters_.dropped_rejected.Add(rejected);
  spdlog::debug("exporter {}: {} spans rejected: {}", label_, rejected, outcome.message);
}

void BatchProcessor::Drop(size_t spans, Counter& reason) {
  counters_.spans_failed.Add(spans);
  reason.Add(spans);
  if (stopping_) undelivered_ += spans;
}

// What is on disk stays there.
void BatchProcessor::AbandonQueue(std::unique_lock<std::mutex>& lock) {
  while (new_ > 0 && steady_clock::now() < stop_deadline_) wake_.wait_until(lock, stop_deadline_);
  for (const Entry& entry : queue_) {
    if (entry.stored) {
      kept_ += entry.spans;
      continue;
    }
    Drop(entry.spans, counters_.dropped_shutdown);
    queue_length_.Add(-static_cast<int64_t>(entry.spans));
  }
  settled_ = enqueued_;
}

}  // namespace sonde::exporter
