// SPDX-License-Identifier: Apache-2.0
#include "sampler/tail_sampler.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sampler/decision_cache.h"
#include "sampler/tail/policy.h"
#include "sonde/base/ids.h"
#include "sonde/base/memory_level.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr char kEarly[] = "sonde_tail_sampling_early_total";
constexpr char kEarlyHelp[] = "Traces that were decided before their wait was over, by reason.";

uint64_t Nanoseconds(Milliseconds time) {
  return static_cast<uint64_t>(std::chrono::nanoseconds(time).count());
}

size_t Or(size_t size, size_t otherwise) { return size == 0 ? otherwise : size; }

}  // namespace

Result<std::unique_ptr<TailSampler>> TailSampler::Create(const TailSamplingOptions& options,
                                                         SpanSink& next, MetricRegistry& metrics) {
  auto sampler = absl::WrapUnique(new TailSampler(options, next, metrics));
  if (Status status = sampler->Configure(options); !status.ok()) return status;
  return sampler;
}

TailSampler::TailSampler(const TailSamplingOptions& options, SpanSink& next,
                         MetricRegistry& metrics)
    : wait_ns_(Nanoseconds(options.decision_wait)),
      root_wait_ns_(Nanoseconds(options.decision_wait_after_root)),
      drop_pending_(options.drop_pending_on_shutdown),
      max_traces_(std::max<size_t>(1, options.num_traces)),
      max_spans_configured_(std::max<size_t>(1, options.max_spans)),
      max_spans_(max_spans_configured_),
      next_(next),
      metrics_(metrics),
      dropped_(metrics.AddCounter("sonde_spans_dropped_total",
                                  "Spans that were begun and not exported, by reason.",
                                  {{"reason", "tail_sampled_out"}})),
      early_traces_(metrics.AddCounter(kEarly, kEarlyHelp, {{"reason", "num_traces"}})),
      early_spans_(metrics.AddCounter(kEarly, kEarlyHelp, {{"reason", "max_spans"}})),
      early_memory_(metrics.AddCounter(kEarly, kEarlyHelp, {{"reason", "memory"}})),
      early_shutdown_(metrics.AddCounter(kEarly, kEarlyHelp, {{"reason", "shutdown"}})),
      held_(metrics.AddGauge("sonde_tail_sampling_spans",
                             "Spans that wait for the decision about their trace.")),
      sampled_(Or(options.sampled_cache_size, max_traces_)),
      not_sampled_(Or(options.non_sampled_cache_size, max_traces_)) {
  if (options.policies.empty()) return;
  const auto wait = std::chrono::ceil<std::chrono::seconds>(options.decision_wait).count();
  traces_.reserve(
      std::min(max_traces_, options.expected_traces_per_second * static_cast<size_t>(wait)));
}

Status TailSampler::Configure(const TailSamplingOptions& options) {
  std::vector<Named> policies;
  for (const TailPolicy& each : options.policies) {
    auto policy = MakePolicy(each);
    if (!policy.ok()) return policy.status();
    Named& named = policies.emplace_back();
    named.policy = *std::move(policy);
    for (const bool sampled : {false, true}) {
      named.votes.at(sampled ? 1 : 0) = &metrics_.AddCounter(
          "sonde_tail_sampling_votes_total", "Traces by what each policy said about them.",
          {{"policy", each.name}, {"vote", sampled ? "sampled" : "not_sampled"}});
    }
  }
  policies_ = std::move(policies);
  first_match_ = options.sample_on_first_match;
  return absl::OkStatus();
}

void TailSampler::OnSpan(Span&& span) {
  now_ns_ = std::max(now_ns_, span.end_mono_ns);  // spans may come before the first tick
  if (policies_.empty()) return next_.OnSpan(std::move(span));
  auto waiting = traces_.find(span.trace_id);
  if (waiting == traces_.end()) {
    if (sampled_.Find(span.trace_id)) return next_.OnSpan(std::move(span));
    if (not_sampled_.Find(span.trace_id)) return dropped_.Add();
    if (traces_.size() >= max_traces_) DecideFirst(*Next(), &early_traces_);
    const TraceId& id = span.trace_id;
    const auto place = by_first_span_.insert(by_first_span_.end(), {id, now_ns_ + wait_ns_});
    waiting = traces_.emplace(id, Trace{.spans = {}, .place = place}).first;
  }
  Trace& trace = waiting->second;
  if (!span.parent_span_id.valid()) OnRoot(trace);
  trace.spans.push_back(std::move(span));
  held_.Set(static_cast<int64_t>(++spans_));
  Counter& why = memory_ == MemoryLevel::kFine ? early_spans_ : early_memory_;
  while (spans_ > max_spans_) DecideFirst(*Next(), &why);
}

void TailSampler::OnRoot(Trace& trace) {
  const uint64_t until_ns = now_ns_ + root_wait_ns_;
  // A trace that is in the queue of roots already has the time of its first root, never a later
  // one.
  if (root_wait_ns_ == 0 || until_ns >= trace.place->until_ns) return;
  trace.place->until_ns = until_ns;
  by_root_.splice(by_root_.end(), by_first_span_, trace.place);
}

TailSampler::Queue* TailSampler::Next() {
  Queue& first = by_first_span_;
  Queue& root = by_root_;
  if (root.empty()) return first.empty() ? nullptr : &first;
  if (first.empty()) return &root;
  return root.front().until_ns < first.front().until_ns ? &root : &first;
}

void TailSampler::SetMemoryLevel(MemoryLevel level) {
  constexpr size_t kShare = 8;
  const bool scarce = level != MemoryLevel::kFine;
  if (scarce && memory_ == MemoryLevel::kFine && spans_ > max_spans_configured_ / kShare) {
    spdlog::warn(
        "tail sampling: memory is scarce: the first of {} waiting traces are decided early",
        traces_.size());
  }
  memory_ = level;
  max_spans_ = scarce ? std::max<size_t>(1, max_spans_configured_ / kShare) : max_spans_configured_;
  while (spans_ > max_spans_) DecideFirst(*Next(), &early_memory_);
}

void TailSampler::OnTick(uint64_t mono_ns) {
  now_ns_ = std::max(now_ns_, mono_ns);
  for (Queue* queue : {&by_first_span_, &by_root_}) {
    while (!queue->empty() && queue->front().until_ns <= now_ns_) DecideFirst(*queue, nullptr);
  }
}

void TailSampler::Shutdown() {
  if (drop_pending_) {
    early_shutdown_.Add(traces_.size());
    dropped_.Add(std::exchange(spans_, 0));
    traces_.clear();
    by_first_span_.clear();
    by_root_.clear();
    held_.Set(0);
  }
  while (Queue* queue = Next()) DecideFirst(*queue, &early_shutdown_);
}

void TailSampler::DecideFirst(Queue& queue, Counter* early) {
  if (early != nullptr) early->Add();
  const TraceId id = queue.front().id;
  queue.pop_front();
  auto node = traces_.extract(id);
  std::vector<Span> spans = std::move(node.mapped().spans);
  spans_ -= spans.size();
  held_.Set(static_cast<int64_t>(spans_));
  const bool keep = policies_.empty() || Ask(spans);
  Finish(id, std::move(spans), keep);
}

bool TailSampler::Ask(const std::vector<Span>& spans) {
  votes_.clear();
  const TraceView trace{.spans = spans, .second = now_ns_ / kNanosecondsPerSecond};
  for (const Named& named : policies_) {
    const Vote vote = named.policy->Ask(trace);
    const bool sampled = vote == Vote::kSampled || vote == Vote::kInvertSampled;
    named.votes.at(sampled ? 1 : 0)->Add();
    votes_.push_back(vote);
    if (first_match_ && vote == Vote::kSampled) break;
  }
  return Decide(votes_);
}

void TailSampler::Finish(const TraceId& id, std::vector<Span> spans, bool keep) {
  (keep ? sampled_ : not_sampled_).Add(id, true);
  if (!keep) return dropped_.Add(spans.size());
  for (Span& span : spans) next_.OnSpan(std::move(span));
}

}  // namespace sonde::sampler
