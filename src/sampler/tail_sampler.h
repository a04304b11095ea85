// SPDX-License-Identifier: Apache-2.0
// Tail sampling: holds the spans of a trace for `decision_wait` from its first one, or for
// `decision_wait_after_root_received` from its root if that is sooner, and then lets the policies
// decide about all of them. Later spans share the decision as long as it is remembered. Where
// memory does not suffice the trace whose time comes next is decided early, by what is there. Drain
// thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
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

class TailSampler final : public SpanSink {
 public:
  // Refuses policies that make no sense. `next` and `metrics` outlive it.
  static Result<std::unique_ptr<TailSampler>> Create(const TailSamplingOptions& options,
                                                     SpanSink& next, MetricRegistry& metrics);

  // A reload of the policies; waiting traces are decided by the new ones. On an error nothing
  // changes.
  Status Configure(const TailSamplingOptions& options);

  // Above kFine an eighth as many spans may wait: the traces whose time comes next are decided by
  // what is there of them, and those that no policy wants go.
  void SetMemoryLevel(MemoryLevel level);

  void OnSpan(Span&& span) override;
  void OnTick(uint64_t mono_ns);
  // Decides about everything that waits, or drops it.
  void Shutdown();

 private:
  struct Named {
    std::unique_ptr<Policy> policy;
    std::array<Counter*, 2> votes{};  // [sampled]
  };
  struct Waiting {
    TraceId id;
    uint64_t until_ns = 0;
  };
  using Queue = std::list<Waiting>;  // soonest first
  struct Trace {
    std::vector<Span> spans;
    Queue::iterator place;
  };

  TailSampler(const TailSamplingOptions& options, SpanSink& next, MetricRegistry& metrics);
  void OnRoot(Trace& trace);
  // The queue with the trace whose time comes next; null: nothing waits.
  Queue* Next();
  void DecideFirst(Queue& queue, Counter* early);
  bool Ask(const std::vector<Span>& spans);
  void Finish(const TraceId& id, std::vector<Span> spans, bool keep);

  const uint64_t wait_ns_;
  const uint64_t root_wait_ns_;  // 0: a root changes nothing
  const bool drop_pending_;
  bool first_match_ = false;
  const size_t max_traces_;
  const size_t max_spans_configured_;
  size_t max_spans_;
  SpanSink& next_;
  MetricRegistry& metrics_;
  Counter& dropped_;
  Counter& early_traces_;
  Counter& early_spans_;
  Counter& early_memory_;
  Counter& early_shutdown_;
  Gauge& held_;

  std::vector<Named> policies_;
  std::vector<Vote> votes_;  // scratch
  absl::flat_hash_map<TraceId, Trace, OpaqueIdHash> traces_;
  // Each trace is in one of the two. All in a queue wait equally long, so who comes last goes last.
  Queue by_first_span_;
  Queue by_root_;
  size_t spans_ = 0;
  DecisionCache<bool> sampled_;
  DecisionCache<bool> not_sampled_;
  MemoryLevel memory_ = MemoryLevel::kFine;
  uint64_t now_ns_ = 0;
};

}  // namespace sonde::sampler
