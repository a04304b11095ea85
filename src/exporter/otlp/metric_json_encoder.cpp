// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/metric_json_encoder.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "exporter/json_writer.h"
#include "exporter/otlp/json_parts.h"
#include "exporter/otlp/metric_shape.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"

namespace sonde::exporter {
namespace {

// 64-bit integers are strings.
void PutUint(JsonWriter& json, std::string_view name, uint64_t value) {
  json.Raw(name);
  json.Raw('"');
  json.Uint(value);
  json.Raw('"');
}

void PutDouble(JsonWriter& json, std::string_view name, double value) {
  json.Raw(name);
  json.Double(value);
}

void PutCounts(JsonWriter& json, std::string_view name, const std::vector<uint64_t>& counts) {
  json.Raw(name);
  json.Raw('[');
  std::string_view separator = "";
  for (const uint64_t count : counts) {
    PutUint(json, separator, count);
    separator = ",";
  }
  json.Raw(']');
}

void PutExemplars(JsonWriter& json, const MetricPoint& point) {
  if (point.exemplars.empty()) return;
  json.Raw(R"(,"exemplars":[)");
  std::string_view separator = "";
  for (const Exemplar& exemplar : point.exemplars) {
    json.Raw(separator);
    PutUint(json, R"({"timeUnixNano":)", exemplar.wall_ns);
    PutDouble(json, R"(,"asDouble":)", exemplar.value);
    json.Raw(R"(,"traceId":")");
    json.Hex(exemplar.trace_id);
    json.Raw(R"(","spanId":")");
    json.Hex(exemplar.span_id);
    json.Raw(R"("})");
    separator = ",";
  }
  json.Raw(']');
}

void PutBuckets(JsonWriter& json, const MetricData& data, const MetricPoint& point,
                MetricShape shape) {
  if (shape == MetricShape::kHistogram) {
    PutCounts(json, R"(,"bucketCounts":)", point.counts);
    json.Raw(R"(,"explicitBounds":[)");
    std::string_view separator = "";
    for (const double bound : *data.bounds) {
      PutDouble(json, separator, bound);
      separator = ",";
    }
    json.Raw(']');
    return;
  }
  const ExponentialBuckets& buckets = *point.exponential;
  json.Raw(R"(,"scale":)");
  json.Int(buckets.scale);
  PutUint(json, R"(,"zeroCount":)", buckets.zero_count);
  json.Raw(R"(,"positive":{"offset":)");
  json.Int(buckets.offset);
  PutCounts(json, R"(,"bucketCounts":)", buckets.counts);
  json.Raw('}');
}

void PutPoint(JsonWriter& json, const MetricData& data, const MetricPoint& point, MetricShape shape,
              uint64_t wall_ns) {
  json.Raw('{');
  if (point.attributes != nullptr) {
    PutAttributes(json, *point.attributes);
    json.Raw(',');
  }
  PutUint(json, R"("startTimeUnixNano":)", point.start_wall_ns);
  PutUint(json, R"(,"timeUnixNano":)", wall_ns);
  if (shape == MetricShape::kHistogram || shape == MetricShape::kExponential) {
    PutUint(json, R"(,"count":)", point.count);
    PutDouble(json, R"(,"sum":)", point.sum);
    if (HasExtremes(data, point)) {
      PutDouble(json, R"(,"min":)", point.min);
      PutDouble(json, R"(,"max":)", point.max);
    }
    PutBuckets(json, data, point, shape);
    PutExemplars(json, point);
  } else if (data.whole) {
    json.Raw(R"(,"asInt":")");
    json.Int(static_cast<int64_t>(point.value));
    json.Raw('"');
  } else {
    PutDouble(json, R"(,"asDouble":)", point.value);
  }
  json.Raw('}');
}

std::string_view NameOf(MetricShape shape) {
  switch (shape) {
    case MetricShape::kSum:
      return R"(,"sum":{"dataPoints":[)";
    case MetricShape::kHistogram:
      return R"(,"histogram":{"dataPoints":[)";
    case MetricShape::kExponential:
      return R"(,"exponentialHistogram":{"dataPoints":[)";
    case MetricShape::kGauge:
      break;
  }
  return R"(,"gauge":{"dataPoints":[)";
}

void PutMetric(JsonWriter& json, const MetricData& data, bool exponential, uint64_t wall_ns) {
  const MetricShape shape = ShapeOf(data, exponential);
  json.Raw(R"({"name":)");
  json.String(data.name);
  json.Raw(R"(,"description":)");
  json.String(data.description);
  json.Raw(R"(,"unit":)");
  json.String(data.unit);
  json.Raw(NameOf(shape));
  std::string_view separator = "";
  for (const MetricPoint& point : data.points) {
    json.Raw(separator);
    PutPoint(json, data, point, shape, wall_ns);
    separator = ",";
  }
  json.Raw(']');
  if (shape != MetricShape::kGauge) {
    json.Raw(R"(,"aggregationTemporality":)");
    json.Uint(TemporalityNumber(data));
  }
  if (shape == MetricShape::kSum) {
    json.Raw(data.kind == MetricKind::kSum ? R"(,"isMonotonic":true)" : R"(,"isMonotonic":false)");
  }
  json.Raw("}}");
}

}  // namespace

std::string_view MetricJsonEncoder::Encode(const MetricBatch& batch, bool exponential) {
  out_.Clear();
  JsonWriter json(out_);
  json.Raw(R"({"resourceMetrics":[)");
  std::string_view separator = "{";
  for (const ResourceMetrics& of : batch.resources) {
    json.Raw(separator);
    PutResource(json, of.resource.get());
    json.Raw(R"(,"scopeMetrics":[{)");
    PutScope(json);
    json.Raw(R"(,"metrics":[)");
    std::string_view comma = "";
    for (const MetricData& data : of.metrics) {
      json.Raw(comma);
      PutMetric(json, data, exponential, batch.wall_ns);
      comma = ",";
    }
    json.Raw("]}]}");
    separator = ",{";
  }
  json.Raw("]}");
  return out_.view();
}

}  // namespace sonde::exporter
