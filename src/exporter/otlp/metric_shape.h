// SPDX-License-Identifier: Apache-2.0
// Which of OTLP's metric messages a metric is.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sonde/pipeline/metric.h"

namespace sonde::exporter {

enum class MetricShape : uint8_t { kSum, kGauge, kHistogram, kExponential };

inline MetricShape ShapeOf(const MetricData& data, bool exponential) {
  switch (data.kind) {
    case MetricKind::kSum:
    case MetricKind::kUpDownSum:
      return MetricShape::kSum;
    case MetricKind::kGauge:
      return MetricShape::kGauge;
    case MetricKind::kHistogram:
      break;
  }
  const bool there = std::ranges::all_of(
      data.points, [](const MetricPoint& point) { return point.exponential.has_value(); });
  return exponential && there ? MetricShape::kExponential : MetricShape::kHistogram;
}

// OTLP AggregationTemporality.
inline uint64_t TemporalityNumber(const MetricData& data) { return data.delta ? 1 : 2; }

// The extremes of a cumulative point say nothing about what came since the last one.
inline bool HasExtremes(const MetricData& data, const MetricPoint& point) {
  return !data.delta && point.count > 0;
}

}  // namespace sonde::exporter
