// SPDX-License-Identifier: Apache-2.0
#include "trace/trace_metrics.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/span.h"
#include "trace/link_method.h"

namespace sonde::trace {
namespace {

std::string KindName(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return "server";
    case SpanKind::kClient:
      return "client";
    case SpanKind::kProducer:
      return "producer";
    case SpanKind::kConsumer:
      return "consumer";
    case SpanKind::kInternal:
      break;
  }
  return "internal";
}

}  // namespace

TraceMetrics::TraceMetrics(MetricRegistry& registry)
    : registry_(registry),
      ambiguous_(
          registry.AddCounter("sonde_link_ambiguous_total",
                              "Calls left without a parent because the evidence named several.")),
      untracked_(
          registry.AddCounter("sonde_links_untracked_total",
                              "Requests that were not followed because too many were open.")),
      left_out_sdk_(registry.AddCounter(
          "sonde_spans_left_out_total",
          "Requests without a span because the process makes one itself, or exports telemetry.",
          {{"reason", "sdk"}})),
      left_out_telemetry_(registry.AddCounter(
          "sonde_spans_left_out_total",
          "Requests without a span because the process makes one itself, or exports telemetry.",
          {{"reason", "telemetry"}})),
      held_(
          registry.AddGauge("sonde_spans_held", "Finished spans that wait for their local root.")) {
  for (size_t i = 1; i < kLinkMethods; ++i) {  // 0 is kNone
    links_.at(i) =
        &registry.AddCounter("sonde_links_total", "Parents found, by method.",
                             {{"method", std::string(LinkMethodName(static_cast<LinkMethod>(i)))}});
  }
  constexpr std::array<std::string_view, 3> reasons = {"hold", "limit", "shutdown"};
  for (size_t i = 0; i < reasons.size(); ++i) {
    early_.at(i) = &registry.AddCounter(
        "sonde_links_released_early_total",
        "Spans sent on before their local root was settled, with what was certain.",
        {{"reason", std::string(reasons.at(i))}});
  }
}

void TraceMetrics::CountSpan(const Span& span) {
  for (const SpanCounter& known : spans_) {
    if (known.kind == span.kind && known.protocol == span.protocol) {
      known.counter->Add();
      return;
    }
  }
  Counter& counter =
      registry_.AddCounter("sonde_spans_total", "Spans begun.",
                           {{"kind", KindName(span.kind)}, {"protocol", span.protocol}});
  spans_.push_back({.kind = span.kind, .protocol = span.protocol, .counter = &counter});
  counter.Add();
}

}  // namespace sonde::trace
