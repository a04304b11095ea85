// SPDX-License-Identifier: Apache-2.0
#include "exporter/exporter_set.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporter/back_off.h"
#include "exporter/batch.h"
#include "exporter/batch_processor.h"
#include "exporter/queue/queue_directory.h"
#include "sonde/base/component_names.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

std::vector<Destination> Labelled(std::vector<std::unique_ptr<SpanExporter>> exporters) {
  ComponentNames names;
  std::vector<Destination> destinations;
  for (auto& exporter : exporters) {
    std::string label = names.Next(exporter->name());
    destinations.push_back(
        {.exporter = std::move(exporter), .label = std::move(label), .spool = nullptr});
  }
  return destinations;
}

ExporterSet::ExporterSet(std::vector<Destination> destinations, const BatchOptions& options,
                         MetricRegistry& metrics, const RetryOptions& retry,
                         std::unique_ptr<QueueDirectory> queues)
    : queues_(std::move(queues)),
      batch_size_(
          std::max<size_t>(1, std::min(options.max_export_batch_size, options.max_queue_size))),
      delay_ns_(static_cast<uint64_t>(
          std::chrono::nanoseconds(std::max(options.schedule_delay, Milliseconds(0))).count())),
      memory_limit_(metrics.AddCounter("sonde_spans_dropped_total",
                                       "Spans that were begun and not exported, by reason.",
                                       {{"reason", "memory_limit"}})),
      no_exporter_(metrics.AddCounter("sonde_spans_dropped_total",
                                      "Spans that were begun and not exported, by reason.",
                                      {{"reason", "no_exporter"}})) {
  for (Destination& destination : destinations) {
    processors_.push_back(
        std::make_unique<BatchProcessor>(std::move(destination), options, retry, metrics));
  }
}

ExporterSet::~ExporterSet() = default;

void ExporterSet::SetMemoryLevel(MemoryLevel level) {
  memory_ = level;
  for (const auto& processor : processors_) processor->SetMemoryLevel(level);
}

void ExporterSet::OnSpan(Span&& span) {
  if (memory_ == MemoryLevel::kHard) return memory_limit_.Add();
  const bool choosy = span.resource != nullptr && span.resource->rule != nullptr &&
                      span.resource->rule->exporters.has_value();
  const bool none = std::ranges::none_of(processors_, [&](const auto& processor) {
    return !choosy || Wants(span, processor->label());
  });
  if (none) {
    no_exporter_.Add();
    if (recent_ == nullptr) return;
  }
  choosy_ = choosy_ || choosy;
  if (open_ == nullptr) {
    open_ = std::make_shared<std::vector<Span>>();
    open_->reserve(batch_size_);
  }
  open_->push_back(std::move(span));
  if (open_->size() >= batch_size_) HandOver();
}

void ExporterSet::OnTick(uint64_t mono_ns) {
  if (open_ == nullptr) return;
  if (open_since_ns_ == 0) open_since_ns_ = mono_ns;
  if (mono_ns - open_since_ns_ >= delay_ns_) HandOver();
}

void ExporterSet::HandOver() {
  if (open_ == nullptr) return;
  const Batch batch = std::move(open_);
  open_ = nullptr;
  open_since_ns_ = 0;
  if (recent_ != nullptr) recent_->Add(batch);
  const bool choosy = std::exchange(choosy_, false);
  for (const auto& processor : processors_) {
    if (!choosy) {
      processor->Enqueue(batch);
      continue;
    }
    auto wanted = std::make_shared<std::vector<Span>>();
    std::ranges::copy_if(*batch, std::back_inserter(*wanted),
                         [&](const Span& span) { return Wants(span, processor->label()); });
    processor->Enqueue(std::move(wanted));
  }
}

bool ExporterSet::Wants(const Span& span, const std::string& label) {
  if (span.resource == nullptr || span.resource->rule == nullptr) return true;
  const auto& exporters = span.resource->rule->exporters;
  return !exporters || std::ranges::find(*exporters, label) != exporters->end();
}

bool ExporterSet::ForceFlush(TimePoint deadline) {
  HandOver();
  bool all = true;
  for (const auto& processor : processors_) all = processor->ForceFlush(deadline) && all;
  return all;
}

size_t ExporterSet::Shutdown(TimePoint deadline) {
  HandOver();
  for (const auto& processor : processors_) processor->BeginShutdown(deadline);
  size_t undelivered = 0;
  for (const auto& processor : processors_) undelivered += processor->FinishShutdown();
  return undelivered;
}

}  // namespace sonde::exporter
