// SPDX-License-Identifier: Apache-2.0
// OpenTelemetry's periodic exporting metric reader: collects at a fixed interval, on a thread of
// its own, and pushes to one receiver: what was measured of the traced services, and sonde's
// metrics about itself. A push is retried until its timeout; the next one carries on from what the
// receiver has, so that an outage costs resolution and no counts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/metrics/delta.h"
#include "exporter/metrics/own_metrics.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// What is read; called from the reader's thread.
struct MetricSources {
  const MetricSource* traced = nullptr;              // outlives the reader
  std::function<std::vector<MetricFamily>()> own{};  // sonde's own
  std::shared_ptr<const Resource> sonde{};           // what measured them
};

class PeriodicReader {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // Points of one request: with exemplars in every bucket it stays well below the 4 MiB that gRPC
  // servers take by default.
  static constexpr size_t kMaxPoints = 1000;

  // `label` is its value in the metrics. `metrics` outlives it.
  PeriodicReader(std::unique_ptr<MetricExporter> exporter, std::string label,
                 const MetricReaderOptions& options, MetricSources sources, MetricRegistry& metrics,
                 const RetryOptions& retry = {});
  PeriodicReader(const PeriodicReader&) = delete;
  PeriodicReader& operator=(const PeriodicReader&) = delete;
  ~PeriodicReader();

  // The two halves of a shutdown, as BatchProcessor's: a last push, until `deadline`.
  void BeginShutdown(TimePoint deadline);
  void FinishShutdown();

 private:
  struct Counters {
    Counter& done;
    Counter& retried;
    Counter& failed;
    Counter& points_exported;
    Counter& points_rejected;
    Counter& points_failed;
  };
  static Counters MakeCounters(const std::string& label, MetricRegistry& metrics);

  void Run();
  // One collection, delivered until `deadline`; `last`: at the end.
  void Push(TimePoint deadline, bool last);
  std::vector<ResourceMetrics> Collect(uint64_t wall_ns);
  bool Deliver(const MetricBatch& batch, TimePoint deadline, bool last);
  void Settle(const MetricBatch& batch, const ExportOutcome& outcome);
  // False if there is no time for another attempt.
  bool WaitForRetry(const ExportOutcome& outcome, unsigned failures, TimePoint deadline, bool last);

  const std::unique_ptr<MetricExporter> exporter_;
  const std::string label_;
  const MetricReaderOptions options_;
  const MetricSources sources_;
  const Counters counters_;
  BackOff back_off_;
  OwnMetrics own_;
  DeltaState delta_;
  uint64_t batches_ = 0;
  bool reachable_ = true;  // logs only the changes

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool over_ = false;
  TimePoint stop_deadline_;
  std::thread thread_;  // last: starts when all else is there
};

// The collection in batches of at most `max_points`, the last one perhaps smaller.
std::vector<std::vector<ResourceMetrics>> SplitByPoints(std::vector<ResourceMetrics> collection,
                                                        size_t max_points);

}  // namespace sonde::exporter
