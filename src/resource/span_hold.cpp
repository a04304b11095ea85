// SPDX-License-Identifier: Apache-2.0
#include "resource/span_hold.h"

#include <deque>
#include <memory>
#include <utility>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {
namespace {

Counter& Held(MetricRegistry& metrics, const char* result) {
  return metrics.AddCounter("sonde_resource_held_spans_total",
                            "Spans that waited for the description of their container",
                            {{"result", result}});
}

}  // namespace

SpanHold::SpanHold(const ResourceStage& resources, SpanSink& next, MetricRegistry& metrics)
    : resources_(resources),
      next_(next),
      described_(Held(metrics, "described")),
      timed_out_(Held(metrics, "timed_out")),
      full_(Held(metrics, "full")) {}

void SpanHold::OnSpan(Span&& span) {
  if (!resources_.Waits(span.tgid)) return Send(std::move(span));
  if (held_.size() >= kMaxHeld) {
    full_.Add();
    return Send(std::move(span));
  }
  held_.push_back(std::move(span));
}

void SpanHold::OnTick() {
  std::deque<Span> waiting;
  std::swap(waiting, held_);
  for (Span& span : waiting) {
    if (resources_.Waits(span.tgid)) {
      held_.push_back(std::move(span));
      continue;
    }
    const std::shared_ptr<const Resource> known = span.resource;
    const bool described = resources_.Latest(span.tgid, known) != known;
    (described ? described_ : timed_out_).Add();
    Send(std::move(span));
  }
}

void SpanHold::Shutdown() {
  timed_out_.Add(held_.size());
  for (Span& span : held_) Send(std::move(span));
  held_.clear();
}

void SpanHold::Send(Span&& span) {
  span.resource = resources_.Latest(span.tgid, span.resource);
  span.root_rule = resources_.Rule(span.root_tgid);
  next_.OnSpan(std::move(span));
}

}  // namespace sonde::resource
