// SPDX-License-Identifier: Apache-2.0
// The keys of sonde.metrics.
#include "config/metric_keys.h"

#include <chrono>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/telemetry_types.h"
#include "config/text_rules.h"
#include "sonde/config/config.h"

namespace sonde::config {

using std::chrono::hours;
using std::chrono::minutes;

void AddMetricKeys(KeyTable& t) {
  t.push_back({"sonde.metrics.span_metrics",
               "",
               "",
               {},
               "Calls and durations of every span, as the Collector's spanmetrics connector has "
               "them.",
               Flag([](Draft& d) -> auto& { return d.config.metrics.span_metrics; })});
  t.push_back({"sonde.metrics.semantic_conventions",
               "",
               "",
               {},
               "http.server.request.duration and the like.",
               Flag([](Draft& d) -> auto& { return d.config.metrics.semantic_conventions; })});
  t.push_back({"sonde.metrics.service_graph",
               "",
               "",
               {},
               "Who calls whom, as the Collector's servicegraph connector has it.",
               Flag([](Draft& d) -> auto& { return d.config.metrics.service_graph; })});
  t.push_back({"sonde.metrics.names",
               "",
               "",
               {},
               "Names of span metrics: span_metrics (traces_span_metrics_calls_total, _duration), "
               "spanmetrics (traces_spanmetrics_calls_total, _duration) or tempo "
               "(traces_spanmetrics_calls_total, _latency, label service).",
               Choice<SpanMetricNames>([](Draft& d) -> auto& { return d.config.metrics.names; },
                                       {{"span_metrics", SpanMetricNames::kSpanMetrics},
                                        {"spanmetrics", SpanMetricNames::kSpanmetrics},
                                        {"tempo", SpanMetricNames::kTempo}})});
  t.push_back({"sonde.metrics.unit",
               "",
               "",
               {},
               "Unit of the durations of span metrics.",
               Choice<bool>([](Draft& d) -> auto& { return d.config.metrics.span_seconds; },
                            {{"ms", false}, {"s", true}})});
  t.push_back({"sonde.metrics.buckets",
               "",
               "",
               {},
               "Boundaries of span metrics and of the service graph. Default: the connectors'.",
               BucketList([](Draft& d) -> auto& { return d.config.metrics.buckets; })});
  t.push_back({"sonde.metrics.dimensions",
               "",
               "",
               {},
               "Attributes of the span, or of its resource, that are added to span metrics.",
               TextList([](Draft& d) -> auto& { return d.config.metrics.dimensions; },
                        {.each = AttributeName()})});
  t.push_back(
      {"sonde.metrics.cardinality_limit",
       "",
       "",
       {},
       "Series of one metric and service; beyond, one with otel.metric.overflow.",
       Count([](Draft& d) -> auto& { return d.config.metrics.cardinality_limit; }, 1, 1'000'000)});
  t.push_back({"sonde.metrics.expiration",
               "",
               "",
               {},
               "A series without a new span is forgotten after this time.",
               Duration([](Draft& d) -> auto& { return d.config.metrics.expiration; }, minutes(1),
                        hours(24 * 7))});
  t.push_back({"sonde.metrics.exemplars",
               "",
               "",
               {},
               "Trace ids of kept traces beside the durations.",
               Flag([](Draft& d) -> auto& { return d.config.metrics.exemplars; })});
}

}  // namespace sonde::config
