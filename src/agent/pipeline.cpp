// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.h"

#include <absl/status/status.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "admin/process_metrics.h"
#include "agent/memory_guard.h"
#include "agent/own_resource.h"
#include "connection/connection_table.h"
#include "discovery/discovery.h"
#include "exporter/exporter_set.h"
#include "exporter/metrics/periodic_reader.h"
#include "exporter/metrics/reader_set.h"
#include "metrics/red_stage.h"
#include "protocol/registry.h"
#include "resource/peers.h"
#include "resource/resource_stage.h"
#include "resource/span_hold.h"
#include "sampler/sampler.h"
#include "sampler/tail_sampler.h"
#include "sonde/base/clock.h"
#include "sonde/base/ids.h"
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
#include "sonde/pipeline/workload.h"
#include "span/span_builder.h"
#include "trace/trace_stage.h"

namespace sonde::agent {
namespace {

constexpr uint64_t kClockRefreshNs = 1'000'000'000;

// Moves the value out, or hands the error to the caller.
template <typename T>
Status Take(Result<T> result, T& into) {
  if (!result.ok()) return result.status();
  into = *std::move(result);
  return absl::OkStatus();
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::Create(const Config& config,
                                                   const ProcessReader& reader,
                                                   VerdictSink& verdicts, MetricRegistry& metrics) {
  std::unique_ptr<Pipeline> p(new Pipeline());
  p->metrics_ = &metrics;
  p->name_peers_ = config.resource.peers;
  p->memory_ = std::make_unique<MemoryGuard>(config.limits.memory_bytes, metrics);
  Status status = p->CreateSinks(config);
  if (status.ok()) {
    status = Take(resource::ResourceStage::Create(config.resource, reader, metrics), p->resources_);
  }
  if (status.ok()) status = p->BuildSpansBy(config);
  if (status.ok()) {
    p->hold_ = std::make_unique<resource::SpanHold>(*p->resources_, p->spans_out(), metrics);
    status = Take(trace::TraceStage::Create(config.linking, *p, *p->hold_, IdGenerator(), metrics),
                  p->traces_);
  }
  if (status.ok()) {
    status =
        Take(connection::ConnectionTable::Create(config.limits, protocol::RegisteredProtocols(),
                                                 p->exchanges_in(), verdicts, metrics),
             p->connections_);
  }
  if (!status.ok()) return status;
  return p;
}

ExchangeSink& Pipeline::exchanges_in() {
  ExchangeSink* active = nullptr;
  if (red_ != nullptr) {
    active = red_->CountActive(*traces_, [this](uint32_t tgid) { return ResourceOf(tgid); });
  }
  return active != nullptr ? *active : *traces_;
}

// From the end of the road to its beginning.
Status Pipeline::CreateSinks(const Config& config) {
  Status status = Take(exporter::CreateExporters(config, *metrics_), exporters_);
  if (!status.ok()) return status;
  const bool metrics_are_read = config.admin.listen != "off" || !config.metric_readers.empty();
  SpanSink* next = exporters_.get();
  if (metrics_are_read) {
    kept_ = std::make_unique<metrics::KeptStage>(*next);
    next = kept_.get();
  }
  // Without policies it lets everything pass, until a reload brings some.
  status = Take(sampler::TailSampler::Create(config.tail_sampling, *next, *metrics_), tail_);
  if (!status.ok()) return status;
  status = Take(sampler::Sampler::Create(config.sampler, *tail_, *metrics_), sampler_);
  if (status.ok()) status = sampler_->Configure(config.sampler, config.discovery.rules);
  if (!status.ok() || !metrics_are_read) return status;
  red_ = std::make_unique<metrics::RedStage>(config.metrics, *sampler_, *metrics_);
  kept_->SetRed(red_.get());
  return config.metric_readers.empty() ? absl::OkStatus() : PushMetrics(config);
}

Status Pipeline::PushMetrics(const Config& config) {
  exporter::MetricSources sources;
  sources.traced = &red_->source();
  sources.own = [registry = metrics_] {
    std::vector<MetricFamily> families = registry->Snapshot();
    std::ranges::move(admin::ReadProcessMetrics(), std::back_inserter(families));
    return families;
  };
  sources.sonde = OwnResource(config.resource);
  return Take(exporter::ReaderSet::Create(config.metric_readers, sources, *metrics_), readers_);
}

std::vector<ResourceMetrics> Pipeline::CollectMetrics() const {
  return red_ != nullptr ? red_->source().Collect() : std::vector<ResourceMetrics>{};
}

Status Pipeline::BuildSpansBy(const Config& config) {
  return Take(span::SpanBuilder::Create(config.routes, config.redaction, config.attribute_limits,
                                        *metrics_),
              spans_);
}

Status Pipeline::Reload(const Config& config) {
  if (Status status = BuildSpansBy(config); !status.ok()) return status;
  if (Status status = tail_->Configure(config.tail_sampling); !status.ok()) return status;
  return sampler_->Configure(config.sampler, config.discovery.rules);
}

void Pipeline::SetClock(const WallClock& clock) {
  clock_ = clock;
  clock_is_live_ = false;
}

void Pipeline::SetDiscovery(discovery::Discovery* discovery) {
  discovery_ = discovery;
  resources_->SetRules([discovery](uint32_t tgid) { return discovery->SettingsOf(tgid); });
}

void Pipeline::SetWorkloads(WorkloadSource* workloads) {
  workloads_ = workloads;
  if (name_peers_) peers_ = std::make_unique<resource::Peers>(*resources_, workloads, *metrics_);
}

void Pipeline::OnOpen(const OpenEvent& event) {
  const bool wanted = discovery_ == nullptr || event.wire ||
                      discovery_->Wants(event.who.tgid, event.local.port, event.remote.port);
  wanted ? connections_->OnOpen(event) : connections_->Refuse(event);
}

void Pipeline::OnData(const DataEvent& event) {
  if (event.direction == Direction::kReceive) traces_->OnReceived(event);
  connections_->OnData(event);
}

void Pipeline::OnShutdown(const ShutdownEvent& event) { connections_->OnShutdown(event); }

void Pipeline::OnProcess(const ProcessEvent& event) {
  ProcessEvent decided = event;
  if (discovery_ != nullptr) decided.traced = discovery_->OnProcess(event);
  if (watcher_ != nullptr) watcher_->OnProcess(decided);
  resources_->OnProcess(decided);
  if (event.change == ProcessChange::kExit) {
    connections_->OnProcess(decided);
    traces_->OnProcessExit(event.tgid);
  }
}

void Pipeline::SetTlsWatcher(tls::Watcher* watcher) {
  watcher_ = watcher;
  if (watcher == nullptr) return resources_->SetRuntimes(nullptr);
  resources_->SetRuntimes([watcher](uint32_t tgid) { return watcher->RuntimeVersion(tgid); });
}

void Pipeline::OnMapped(const MappedEvent& event) {
  if (watcher_ != nullptr) watcher_->OnMapped(event);
}

void Pipeline::OnExecution(const ExecutionEvent& event) { traces_->OnExecution(event); }

void Pipeline::TakeWorkloads() {
  auto changed = workloads_->TakeChanged();
  if (changed.empty()) return;
  resources_->OnWorkloads(changed);
  if (discovery_ != nullptr) discovery_->OnWorkloads(std::move(changed));
}

void Pipeline::OnTick(uint64_t mono_ns) {
  if (watcher_ != nullptr) resources_->OnRuntimes(watcher_->TakeRuntimes());
  now_mono_ns_ = std::max(now_mono_ns_, mono_ns);
  if (clock_is_live_ && now_mono_ns_ - clock_read_mono_ns_ >= kClockRefreshNs) {
    clock_.Refresh();
    clock_read_mono_ns_ = now_mono_ns_;
  }
  WatchMemory();
  connections_->OnTick(mono_ns);
  traces_->OnTick(mono_ns);
  for (const uint32_t tgid : traces_->TakeDemands()) {
    if (watcher_ != nullptr) watcher_->Demand(tgid);
  }
  if (workloads_ != nullptr) TakeWorkloads();
  if (discovery_ != nullptr) {
    discovery_->OnTick(mono_ns);
    if (discovery_->TakeSettingsChanged()) resources_->OnRules();
  }
  resources_->OnTick(mono_ns);
  hold_->OnTick();
  if (red_ != nullptr) red_->OnTick(mono_ns);
  tail_->OnTick(mono_ns);
  exporters_->OnTick(mono_ns);
}

void Pipeline::WatchMemory() {
  const MemoryLevel level = memory_->Check(MonotonicNow());
  if (level == memory_level_ && level == MemoryLevel::kFine) return;
  memory_level_ = level;
  traces_->SetMemoryLevel(level);
  tail_->SetMemoryLevel(level);
  exporters_->SetMemoryLevel(level);
}

// A capture has no processes.
std::shared_ptr<const Resource> Pipeline::ResourceOf(uint32_t tgid) {
  return tgid == 0 ? resources_->ForWire() : resources_->ForProcess(tgid);
}

Span Pipeline::Build(const Exchange& exchange) {
  std::shared_ptr<const Resource> resource =
      exchange.connection->wire ? resources_->ForWire() : resources_->ForProcess(exchange.tgid());
  Span span = spans_->Build(exchange, *resource, clock_);
  if (observer_ != nullptr) {
    const Resource*& known = observed_[exchange.tgid()];
    if (known != resource.get()) observer_(exchange.tgid(), *resource);
    known = resource.get();
  }
  span.resource = std::move(resource);
  if (peers_ == nullptr) return span;
  if (span.kind == SpanKind::kServer) peers_->Learn(*exchange.connection, exchange.tgid());
  if (span.kind == SpanKind::kClient) peers_->Describe(*exchange.connection, span);
  return span;
}

size_t Pipeline::Finish(std::chrono::steady_clock::time_point deadline) {
  connections_->Shutdown(now_mono_ns_);
  traces_->Shutdown();
  hold_->Shutdown();
  if (red_ != nullptr) red_->Shutdown();
  tail_->Shutdown();
  if (readers_ != nullptr) readers_->BeginShutdown(deadline);
  const size_t undelivered = exporters_->Shutdown(deadline);
  if (readers_ != nullptr) readers_->FinishShutdown();
  return undelivered;
}

}  // namespace sonde::agent
