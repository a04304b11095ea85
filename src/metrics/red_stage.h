// SPDX-License-Identifier: Apache-2.0
// Rate, errors and durations of every span, before anything is sampled, and the service graph.
//
// Spans that differ in nothing a metric tells apart are of one class; a class remembers the series
// its spans are counted in, so that a span costs one lookup. After the sampler, what was kept comes
// back through KeptStage and gives exemplars.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/active_requests.h"
#include "metrics/series.h"
#include "metrics/series_store.h"
#include "metrics/service_graph.h"
#include "metrics/span_facts.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

// Drain thread, except source().
class RedStage final : public SpanSink {
 public:
  // Classes remembered at once; beyond, all are looked up anew.
  static constexpr size_t kMaxClasses = 65'536;

  // `next` and `metrics` outlive it.
  RedStage(const MetricsOptions& options, SpanSink& next, MetricRegistry& metrics);

  void OnSpan(Span&& span) override;
  // A span that came through OnSpan is kept.
  void OnKept(const Span& span);
  void OnTick(uint64_t mono_ns);
  void Shutdown() { graph_.Shutdown(); }

  // Counts the requests that pass on their way to `next`, which outlives it; null: not wanted.
  // Once.
  ExchangeSink* CountActive(ExchangeSink& next, ActiveRequests::ResourceOf resource_of);

  const MetricSource& source() const { return store_; }

 private:
  struct Class {
    std::shared_ptr<Series> span;
    std::shared_ptr<Series> duration;
    std::shared_ptr<Series> request_body;
    std::shared_ptr<Series> response_body;
  };

  uint64_t ClassOf(const Span& span);
  void MakeKey(const Span& span, ServiceNumber service);
  Class MakeClass(const Span& span, ServiceNumber service);
  Attributes SpanAttributes(const Span& span) const;
  void AddConventional(const Span& span, ServiceNumber service, Class& made);
  void ForgetClasses();

  const MetricsOptions options_;
  SpanSink& next_;
  SeriesStore store_;
  SpanFacts facts_;
  ServiceGraph graph_;
  std::unique_ptr<ActiveRequests> active_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;  // classes by key
  std::vector<Class> classes_;
  uint32_t generation_ = 1;  // of the numbers: those of an earlier one mean nothing
  std::string key_;          // scratch
  uint64_t now_ns_ = 0;
  uint64_t looked_ns_ = 0;
};

// Behind the sampler: tells RedStage, which is made after it, of what was kept.
class KeptStage final : public SpanSink {
 public:
  explicit KeptStage(SpanSink& next) : next_(next) {}
  void SetRed(RedStage* red) { red_ = red; }
  void OnSpan(Span&& span) override {
    if (red_ != nullptr) red_->OnKept(span);
    next_.OnSpan(std::move(span));
  }

 private:
  RedStage* red_ = nullptr;
  SpanSink& next_;
};

}  // namespace sonde::metrics
