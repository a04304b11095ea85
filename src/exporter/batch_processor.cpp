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
#include <utility>

#include "exporter/back_off.h"
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
          dropped("retry_expired"), dropped("shutdown")};
}

BatchProcessor::BatchProcessor(std::unique_ptr<SpanExporter> exporter, const BatchOptions& options,
                               const RetryOptions& retry, const std::string& label,
                               MetricRegistry& metrics)
    : exporter_(std::move(exporter)),
      options_(options),
      label_(label),
      back_off_(retry),
      counters_(MakeCounters(label, metrics)),
      queue_length_(metrics.AddGauge(
          "sonde_export_queue_length",
          "Spans waiting for an exporter, the batch in progress included.", {{"exporter", label}})),
      next_tick_(steady_clock::now() + kTickInterval),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), ("export-" + label_).substr(0, 15).c_str());
}

BatchProcessor::~BatchProcessor() {
  BeginShutdown(steady_clock::now());
  FinishShutdown();
}

void BatchProcessor::Enqueue(Batch batch) {
  const size_t spans = batch->size();
  if (spans == 0) return;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queued_spans_ + spans > options_.max_queue_size) {
      (stopping_ ? counters_.dropped_shutdown : counters_.dropped_queue_full).Add(spans);
      if (stopping_) undelivered_ += spans;
      return;
    }
    queue_.push_back(std::move(batch));
    queued_spans_ += spans;
    ++enqueued_;
  }
  queue_length_.Add(static_cast<int64_t>(spans));
  wake_.notify_one();
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
}

size_t BatchProcessor::FinishShutdown() {
  if (thread_.joinable()) {
    {
      std::unique_lock lock(mutex_);
      const bool in_time = idle_.wait_until(lock, stop_deadline_, [&] { return queue_.empty(); });
      // Whatever still runs is asked to return, so that the thread can be joined.
      if (!in_time) exporter_->Cancel();
    }
    wake_.notify_one();
    thread_.join();
  }
  const std::lock_guard lock(mutex_);
  return undelivered_;
}

void BatchProcessor::Run() {
  std::unique_lock lock(mutex_);
  while (WaitForBatch(lock)) {
    const Batch batch = queue_.front();
    Deliver(batch, lock);
    queue_.pop_front();
    queued_spans_ -= batch->size();
    ++settled_;
    queue_length_.Add(-static_cast<int64_t>(batch->size()));
    Tick(lock);
    idle_.notify_all();
  }
  AbandonQueue();
  idle_.notify_all();
  lock.unlock();
  exporter_->Flush();
}

bool BatchProcessor::WaitForBatch(std::unique_lock<std::mutex>& lock) {
  while (true) {
    if (GiveUp()) return false;
    if (!queue_.empty()) return true;
    if (stopping_) return false;
    wake_.wait_until(lock, next_tick_);
    Tick(lock);
  }
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

void BatchProcessor::Deliver(const Batch& batch, std::unique_lock<std::mutex>& lock) {
  Attempt attempt{.first = steady_clock::now()};
  Verdict verdict = Verdict::kAgain;
  while (verdict == Verdict::kAgain) {
    const ExportOutcome outcome = ExportOnce(batch, lock);
    verdict = Settle(batch, outcome, attempt, lock);
  }
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
  const TimePoint expiry = attempt.first + back_off_.options().max_elapsed;
  if (now >= expiry && !GiveUp()) {
    Drop(batch->size(), counters_.dropped_expired);
    return Verdict::kOver;
  }
  // A receiver that asks for more time than there is gets all of it and one last attempt.
  TimePoint next = std::min(now + delay, expiry);
  while (!GiveUp()) {
    // A shutdown shortens our own pause, never the one that the receiver asked for.
    if (stopping_ && !told) next = std::min(next, now + kStopRetryDelay);
    if (steady_clock::now() >= next) return Verdict::kAgain;
    if (stopping_ && next >= stop_deadline_) break;
    wake_.wait_until(lock, std::min(next, next_tick_));
    Tick(lock);
  }
  Drop(batch->size(), counters_.dropped_shutdown);
  return Verdict::kOver;
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

void BatchProcessor::AbandonQueue() {
  for (const Batch& batch : queue_) {
    Drop(batch->size(), counters_.dropped_shutdown);
    queue_length_.Add(-static_cast<int64_t>(batch->size()));
  }
  queue_.clear();
  queued_spans_ = 0;
  settled_ = enqueued_;
}

}  // namespace sonde::exporter
