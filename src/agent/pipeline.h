// SPDX-License-Identifier: Apache-2.0
// The only file that knows every stage: joins them in the order of docs/life-of-a-request.md. Drain
// thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "agent/memory_guard.h"
#include "connection/connection_table.h"
#include "discovery/discovery.h"
#include "exporter/exporter_set.h"
#include "exporter/metrics/reader_set.h"
#include "exporter/recent/recent_traces.h"
#include "metrics/red_stage.h"
#include "resource/peers.h"
#include "resource/resource_stage.h"
#include "resource/span_hold.h"
#include "sampler/sampler.h"
#include "sampler/tail_sampler.h"
#include "sonde/base/clock.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/protocol.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/span_factory.h"
#include "sonde/pipeline/workload.h"
#include "span/span_builder.h"
#include "tls/watcher.h"
#include "trace/link_status.h"
#include "trace/trace_stage.h"

namespace sonde::agent {

class Pipeline final : public EventHandler, public SpanFactory {
 public:
  // `verdicts` and `metrics` outlive it. `reader` is ProcessReader::None() for a replay.
  static Result<std::unique_ptr<Pipeline>> Create(const Config& config, const ProcessReader& reader,
                                                  VerdictSink& verdicts, MetricRegistry& metrics);

  // Live only: decides about processes before the other stages hear of them.
  void SetDiscovery(discovery::Discovery* discovery);
  // Live only: hears of processes after discovery decided about them.
  void SetTlsWatcher(tls::Watcher* watcher);
  // Live only: what is learnt of containers reaches discovery and resources with each tick.
  void SetWorkloads(WorkloadSource* workloads);
  void TakeWorkloads();
  // Replay only: the wall clock of the recording, which does not move.
  void SetClock(const WallClock& clock);
  // Recording: hears of a process's resource before its first span, and again when it has changed.
  using ResourceObserver = std::function<void(uint32_t tgid, const Resource& resource)>;
  void SetResourceObserver(ResourceObserver observer) { observer_ = std::move(observer); }
  // Kept spans go there too; outlives the pipeline. Before the first event.
  void SetRecentTraces(exporter::RecentTraces* recent) { exporters_->ShowIn(recent); }
  // Sampling, redaction and routes of `config`; the names of routes are learnt anew.
  Status Reload(const Config& config);
  resource::ResourceStage& resources() { return *resources_; }
  // Any thread. Metrics of the spans so far; empty if nobody was to read them.
  std::vector<ResourceMetrics> CollectMetrics() const;
  const trace::LinkStatus& link_status() const { return traces_->status(); }

  void OnOpen(const OpenEvent& event) override;
  void OnData(const DataEvent& event) override;
  void OnShutdown(const ShutdownEvent& event) override;
  void OnProcess(const ProcessEvent& event) override;
  void OnMapped(const MappedEvent& event) override;
  void OnExecution(const ExecutionEvent& event) override;
  void OnTick(uint64_t mono_ns) override;

  // Closes what is open as unfinished, releases what is held and delivers until `deadline`. Returns
  // the number of spans that could not be delivered.
  size_t Finish(std::chrono::steady_clock::time_point deadline);

 private:
  Pipeline() = default;
  Status CreateSinks(const Config& config);
  Status PushMetrics(const Config& config);
  Status BuildSpansBy(const Config& config);
  Span Build(const Exchange& exchange) override;
  // Where spans go once they have their trace.
  SpanSink& spans_out() { return red_ != nullptr ? static_cast<SpanSink&>(*red_) : *sampler_; }

  // Where exchanges go.
  ExchangeSink& exchanges_in();
  std::shared_ptr<const Resource> ResourceOf(uint32_t tgid);
  void WatchMemory();

  MetricRegistry* metrics_ = nullptr;
  std::unique_ptr<MemoryGuard> memory_;
  MemoryLevel memory_level_ = MemoryLevel::kFine;
  WallClock clock_;
  bool clock_is_live_ = true;
  uint64_t now_mono_ns_ = 0;
  uint64_t clock_read_mono_ns_ = 0;
  discovery::Discovery* discovery_ = nullptr;
  tls::Watcher* watcher_ = nullptr;
  WorkloadSource* workloads_ = nullptr;
  bool name_peers_ = true;
  ResourceObserver observer_;
  absl::flat_hash_map<uint32_t, const Resource*> observed_;
  std::unique_ptr<exporter::ExporterSet> exporters_;
  std::unique_ptr<metrics::KeptStage> kept_;
  std::unique_ptr<sampler::TailSampler> tail_;
  std::unique_ptr<sampler::Sampler> sampler_;
  std::unique_ptr<metrics::RedStage> red_;        // null: nobody reads its metrics
  std::unique_ptr<exporter::ReaderSet> readers_;  // after red_, which they read; null: none
  std::unique_ptr<resource::ResourceStage> resources_;
  std::unique_ptr<resource::SpanHold> hold_;
  std::unique_ptr<resource::Peers> peers_;  // null: not wanted, or a replay
  std::unique_ptr<span::SpanBuilder> spans_;
  std::unique_ptr<trace::TraceStage> traces_;
  std::unique_ptr<connection::ConnectionTable> connections_;
};

}  // namespace sonde::agent
