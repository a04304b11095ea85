// SPDX-License-Identifier: Apache-2.0
// Metrics about what was traced, in OpenTelemetry's data model: what the metrics stage hands to the
// admin endpoint and to the metrics exporters. sonde's metrics about itself are in
// sonde/base/metrics.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/span.h"

namespace sonde {

// A measurement with the span it was made in.
struct Exemplar {
  TraceId trace_id;  // invalid: none
  SpanId span_id;
  double value = 0;
  uint64_t wall_ns = 0;
};

enum class MetricKind : uint8_t { kSum, kUpDownSum, kGauge, kHistogram };

// Base-2 exponential buckets of positive values: bucket i holds (base^(offset + i),
// base^(offset + i + 1)], base = 2^(2^-scale).
struct ExponentialBuckets {
  int32_t scale = 0;
  int32_t offset = 0;
  uint64_t zero_count = 0;
  std::vector<uint64_t> counts;
};

// One series at one time: what was measured since `start_wall_ns`.
struct MetricPoint {
  uint64_t series = 0;  // the same series has the same number in every collection of a run
  std::shared_ptr<const Attributes> attributes;
  uint64_t start_wall_ns = 0;
  double value = 0;  // sums and gauges
  // Histograms. counts[i]: values up to and including bounds[i]; the last one: all above.
  std::vector<uint64_t> counts;
  uint64_t count = 0;
  double sum = 0;
  double min = 0;  // cumulative points only
  double max = 0;
  std::optional<ExponentialBuckets> exponential;
  std::vector<Exemplar> exemplars;
};

struct MetricData {
  std::string name;  // "http.server.request.duration"
  std::string unit;  // UCUM: "s", "By", "{request}"
  std::string description;
  MetricKind kind = MetricKind::kSum;
  std::shared_ptr<const std::vector<double>> bounds;  // histograms
  bool whole = false;  // sums and gauges: every value is a whole number
  bool delta = false;  // points begin where the ones before them ended; else with their series
  std::vector<MetricPoint> points;
};

struct ResourceMetrics {
  std::shared_ptr<const Resource> resource;  // null: sonde's own
  std::vector<MetricData> metrics;
};

// Any thread; does not hold up the thread that measures.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  virtual std::vector<ResourceMetrics> Collect() const = 0;
};

}  // namespace sonde
