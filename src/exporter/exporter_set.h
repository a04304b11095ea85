// SPDX-License-Identifier: Apache-2.0
// The end of the road on the drain thread: collects spans into batches and hands each batch to
// every exporter's queue. The drain thread pays one move per span and one lock per batch and
// exporter.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/batch.h"
#include "exporter/batch_processor.h"
#include "exporter/queue/queue_directory.h"
#include "exporter/recent/recent_traces.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class ExporterSet final : public SpanSink {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `queues` is held as long as the destinations use it; may be null. `schedule_delay` of the
  // options is how long a span waits for its batch to fill. No exporter: spans are counted as
  // dropped, reason "no_exporter". `metrics` outlives it.
  ExporterSet(std::vector<Destination> destinations, const BatchOptions& options,
              MetricRegistry& metrics, const RetryOptions& retry = {},
              std::unique_ptr<QueueDirectory> queues = nullptr);
  ~ExporterSet() override;

  // Every batch goes there too; outlives it. Before the first span.
  void ShowIn(RecentTraces* recent) { recent_ = recent; }
  // Drain thread. With little memory spans are given up, reason "memory_limit": near the limit the
  // oldest ones that wait, at the limit every new one.
  void SetMemoryLevel(MemoryLevel level);

  // Drain thread. A span of a process whose rule names exporters goes to those only.
  void OnSpan(Span&& span) override;
  // Drain thread, several times in schedule_delay.
  void OnTick(uint64_t mono_ns);

  // Drain thread, or after it has ended. All spans so far: true if every exporter is done with them
  // by `deadline`.
  bool ForceFlush(TimePoint deadline);
  // Delivers what is queued by `deadline`; returns how many spans some exporter could not deliver.
  // No OnSpan after it.
  size_t Shutdown(TimePoint deadline);

 private:
  void HandOver();
  static bool Wants(const Span& span, const std::string& label);

  const std::unique_ptr<QueueDirectory> queues_;
  const size_t batch_size_;
  const uint64_t delay_ns_;
  std::vector<std::unique_ptr<BatchProcessor>> processors_;
  std::shared_ptr<std::vector<Span>> open_;  // becomes a Batch
  uint64_t open_since_ns_ = 0;               // 0: not seen by OnTick yet
  bool choosy_ = false;                      // some span of it is not for every exporter
  RecentTraces* recent_ = nullptr;
  MemoryLevel memory_ = MemoryLevel::kFine;
  Counter& memory_limit_;
  Counter& no_exporter_;
};

// Each exporter with its label (ComponentNames). Without queues on disk.
std::vector<Destination> Labelled(std::vector<std::unique_ptr<SpanExporter>> exporters);

// What the configuration asks for. Refuses with the reason (kInvalidArgument).
Result<std::unique_ptr<SpanExporter>> CreateExporter(const ExporterOptions& options);
Result<std::unique_ptr<ExporterSet>> CreateExporters(const Config& config, MetricRegistry& metrics);

}  // namespace sonde::exporter
