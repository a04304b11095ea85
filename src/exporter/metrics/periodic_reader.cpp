// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/periodic_reader.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/metrics/own_metrics.h"
#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"

namespace sonde::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// As of spans: an endpoint that fails this often once sonde is stopping is away.
constexpr unsigned kStopFailures = 2;
constexpr milliseconds kStopRetryDelay{500};

size_t CountPoints(const std::vector<ResourceMetrics>& resources) {
  size_t points = 0;
  for (const ResourceMetrics& of : resources) {
    for (const MetricData& data : of.metrics) points += data.points.size();
  }
  return points;
}

// The metric without its points.
MetricData HeadOf(const MetricData& data) {
  return {.name = data.name,
          .unit = data.unit,
          .description = data.description,
          .kind = data.kind,
          .bounds = data.bounds,
          .whole = data.whole,
          .delta = data.delta,
          .points = {}};
}

}  // namespace

std::vector<std::vector<ResourceMetrics>> SplitByPoints(std::vector<ResourceMetrics> collection,
                                                        size_t max_points) {
  std::vector<std::vector<ResourceMetrics>> batches;
  size_t room = 0;
  for (ResourceMetrics& of : collection) {
    bool begun = false;
    for (MetricData& data : of.metrics) {
      for (size_t at = 0; at < data.points.size();) {
        if (room == 0) {
          batches.emplace_back();
          room = max_points;
          begun = false;
        }
        auto& batch = batches.back();
        if (!begun) batch.push_back({.resource = of.resource, .metrics = {}});
        begun = true;
        const size_t count = std::min(room, data.points.size() - at);
        const auto first = data.points.begin() + static_cast<std::ptrdiff_t>(at);
        MetricData& part = batch.back().metrics.emplace_back(HeadOf(data));
        part.points.assign(std::make_move_iterator(first),
                           std::make_move_iterator(first + static_cast<std::ptrdiff_t>(count)));
        at += count;
        room -= count;
      }
    }
  }
  return batches;
}

PeriodicReader::Counters PeriodicReader::MakeCounters(const std::string& label,
                                                      MetricRegistry& metrics) {
  const auto batches = [&](const char* result) -> Counter& {
    return metrics.AddCounter("sonde_metric_export_batches_total",
                              "Attempts to push metrics, by result.",
                              {{"exporter", label}, {"result", result}});
  };
  const auto points = [&](const char* result) -> Counter& {
    return metrics.AddCounter("sonde_metric_export_points_total",
                              "Data points of metrics handed to an exporter, by result.",
                              {{"exporter", label}, {"result", result}});
  };
  return {batches("done"),    batches("retry"),   batches("failed"),
          points("exported"), points("rejected"), points("failed")};
}

PeriodicReader::PeriodicReader(std::unique_ptr<MetricExporter> exporter, std::string label,
                               // NOLINTNEXTLINE(modernize-pass-by-value): callers keep theirs
                               const MetricReaderOptions& options, MetricSources sources,
                               MetricRegistry& metrics, const RetryOptions& retry)
    : exporter_(std::move(exporter)),
      label_(std::move(label)),
      options_(options),
      sources_(std::move(sources)),
      counters_(MakeCounters(label_, metrics)),
      back_off_(retry),
      own_(sources_.sonde, WallNow()) {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), ("metrics-" + label_).substr(0, 15).c_str());
}

PeriodicReader::~PeriodicReader() {
  BeginShutdown(steady_clock::now());
  FinishShutdown();
}

void PeriodicReader::BeginShutdown(TimePoint deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    stop_deadline_ = deadline;
  }
  wake_.notify_all();
}

void PeriodicReader::FinishShutdown() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_until(lock, stop_deadline_, [this] { return over_; })) exporter_->Cancel();
  }
  thread_.join();
}

void PeriodicReader::Run() {
  std::unique_lock lock(mutex_);
  TimePoint next = steady_clock::now() + options_.interval;
  while (!stopping_) {
    if (wake_.wait_until(lock, next, [this] { return stopping_; })) break;
    lock.unlock();
    Push(steady_clock::now() + options_.timeout, false);
    lock.lock();
    next = std::max(next + options_.interval, steady_clock::now());
  }
  const TimePoint deadline = stop_deadline_;
  lock.unlock();
  Push(deadline, true);
  lock.lock();
  over_ = true;
  lock.unlock();
  wake_.notify_all();
}

std::vector<ResourceMetrics> PeriodicReader::Collect(uint64_t wall_ns) {
  std::vector<ResourceMetrics> collected;
  if (sources_.traced != nullptr) collected = sources_.traced->Collect();
  for (ResourceMetrics& of : collected) {
    if (of.resource == nullptr) of.resource = sources_.sonde;
  }
  // sonde's own are observed, in OpenTelemetry's word: read when they are collected, not when they
  // change.
  const auto add_own = [&] {
    if (sources_.own) collected.push_back(own_.Convert(sources_.own()));
  };
  const bool observed_too = options_.temporality == Temporality::kDelta;
  if (observed_too) add_own();
  if (options_.temporality != Temporality::kCumulative) {
    collected = delta_.Since(std::move(collected), wall_ns);
  }
  if (!observed_too) add_own();
  return collected;
}

void PeriodicReader::Push(TimePoint deadline, bool last) {
  const uint64_t wall_ns = WallNow();
  for (auto& resources : SplitByPoints(Collect(wall_ns), kMaxPoints)) {
    MetricBatch batch{.number = ++batches_, .wall_ns = wall_ns, .resources = {}, .points = 0};
    batch.points = CountPoints(resources);
    batch.resources = std::move(resources);
    if (Deliver(batch, deadline, last)) delta_.Delivered(batch);
  }
}

bool PeriodicReader::Deliver(const MetricBatch& batch, TimePoint deadline, bool last) {
  ExportOutcome outcome{.code = ExportOutcome::Code::kFailed, .message = "no time left"};
  for (unsigned failures = 0; steady_clock::now() < deadline;) {
    outcome = exporter_->Export(batch, deadline);
    if (outcome.code != ExportOutcome::Code::kRetry) break;
    counters_.retried.Add();
    if (std::exchange(reachable_, false)) {
      spdlog::warn("metrics exporter {}: {}; retrying", label_, outcome.message);
    }
    if (!WaitForRetry(outcome, ++failures, deadline, last)) break;
  }
  Settle(batch, outcome);
  return outcome.code == ExportOutcome::Code::kDone;
}

void PeriodicReader::Settle(const MetricBatch& batch, const ExportOutcome& outcome) {
  if (outcome.code == ExportOutcome::Code::kDone) {
    if (!std::exchange(reachable_, true)) {
      spdlog::info("metrics exporter {}: delivers again", label_);
    }
    const size_t rejected = std::min(outcome.rejected, batch.points);
    counters_.done.Add();
    counters_.points_exported.Add(batch.points - rejected);
    counters_.points_rejected.Add(rejected);
    return;
  }
  counters_.failed.Add();
  counters_.points_failed.Add(batch.points);
  if (std::exchange(reachable_, false)) {
    spdlog::warn("metrics exporter {}: {}", label_, outcome.message);
  }
}

bool PeriodicReader::WaitForRetry(const ExportOutcome& outcome, unsigned failures,
                                  TimePoint deadline, bool last) {
  if (last && failures >= kStopFailures) return false;
  const bool told = outcome.retry_after > milliseconds(0);
  milliseconds delay = told ? outcome.retry_after : back_off_.Delay(failures);
  if (last && !told) delay = std::min(delay, kStopRetryDelay);
  const TimePoint next = steady_clock::now() + delay;
  if (next >= deadline) return false;
  std::unique_lock lock(mutex_);
  if (last) {
    wake_.wait_until(lock, next, [] { return false; });
    return true;
  }
  // A stop ends this push: the last one has its points too.
  return !wake_.wait_until(lock, next, [this] { return stopping_; });
}

}  // namespace sonde::exporter
