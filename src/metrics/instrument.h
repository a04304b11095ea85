// SPDX-License-Identifier: Apache-2.0
// The metrics that are made of spans, with the names, units and boundaries of the OpenTelemetry
// semantic conventions 1.45 and of the Collector's spanmetrics and servicegraph connectors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "metrics/series.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"

namespace sonde::metrics {

enum class InstrumentId : uint8_t {
  kSpan,  // read as two metrics: calls and duration
  kHttpServerDuration,
  kHttpClientDuration,
  kRpcServerDuration,
  kRpcClientDuration,
  kHttpServerRequestBody,
  kHttpServerResponseBody,
  kHttpClientRequestBody,
  kHttpClientResponseBody,
  kHttpServerActive,
  kGraphRequests,
  kGraphFailed,
  kGraphServerSeconds,
  kGraphClientSeconds,
};
inline constexpr size_t kInstruments = 14;

struct Instrument {
  std::string name;
  std::string unit;
  std::string description;
  MetricKind kind = MetricKind::kHistogram;
  Bounds bounds;           // histograms
  std::string calls_name;  // kSpan: of the count
};

using Instruments = std::array<Instrument, kInstruments>;

// `options.buckets` are the boundaries of span metrics and of the service graph.
Instruments MakeInstruments(const MetricsOptions& options);

}  // namespace sonde::metrics
