// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp/metric_protobuf_encoder.h"

#include <cstdint>
#include <string_view>

#include "exporter/otlp/metric_shape.h"
#include "exporter/otlp/proto_parts.h"
#include "exporter/otlp/proto_writer.h"
#include "opentelemetry/proto/metrics/v1/metrics.pb.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"

namespace sonde::exporter {
namespace {

namespace wire = opentelemetry::proto::metrics::v1;

void PutExemplars(ProtoWriter& writer, int field, const MetricPoint& point) {
  for (const Exemplar& exemplar : point.exemplars) {
    const auto mark = writer.Begin(field, 1);
    writer.Fixed64(wire::Exemplar::kTimeUnixNanoFieldNumber, exemplar.wall_ns);
    writer.Double(wire::Exemplar::kAsDoubleFieldNumber, exemplar.value);
    writer.Bytes(wire::Exemplar::kSpanIdFieldNumber, exemplar.span_id.view());
    writer.Bytes(wire::Exemplar::kTraceIdFieldNumber, exemplar.trace_id.view());
    writer.End(mark);
  }
}

// What all kinds of points have.
template <typename Point>
void PutCommon(ProtoWriter& writer, const MetricPoint& point, uint64_t wall_ns) {
  if (point.attributes != nullptr) {
    PutAttributes(writer, Point::kAttributesFieldNumber, *point.attributes);
  }
  writer.Fixed64(Point::kStartTimeUnixNanoFieldNumber, point.start_wall_ns);
  writer.Fixed64(Point::kTimeUnixNanoFieldNumber, wall_ns);
}

void PutNumber(ProtoWriter& writer, int field, const MetricData& data, const MetricPoint& point,
               uint64_t wall_ns) {
  using Wire = wire::NumberDataPoint;
  const auto mark = writer.Begin(field);
  PutCommon<Wire>(writer, point, wall_ns);
  if (data.whole) {
    const auto whole = static_cast<int64_t>(point.value);
    writer.Fixed64(Wire::kAsIntFieldNumber, static_cast<uint64_t>(whole));
  } else {
    writer.Double(Wire::kAsDoubleFieldNumber, point.value);
  }
  writer.End(mark);
}

template <typename Point>
void PutDistribution(ProtoWriter& writer, const MetricData& data, const MetricPoint& point,
                     uint64_t wall_ns) {
  PutCommon<Point>(writer, point, wall_ns);
  writer.Fixed64(Point::kCountFieldNumber, point.count);
  writer.Double(Point::kSumFieldNumber, point.sum);
  if (!HasExtremes(data, point)) return;
  writer.Double(Point::kMinFieldNumber, point.min);
  writer.Double(Point::kMaxFieldNumber, point.max);
}

void PutHistogram(ProtoWriter& writer, int field, const MetricData& data, const MetricPoint& point,
                  uint64_t wall_ns) {
  using Wire = wire::HistogramDataPoint;
  const auto mark = writer.Begin(field);
  PutDistribution<Wire>(writer, data, point, wall_ns);
  writer.PackedFixed64(Wire::kBucketCountsFieldNumber, point.counts);
  writer.PackedFixed64(Wire::kExplicitBoundsFieldNumber, *data.bounds);
  PutExemplars(writer, Wire::kExemplarsFieldNumber, point);
  writer.End(mark);
}

void PutExponential(ProtoWriter& writer, int field, const MetricData& data,
                    const MetricPoint& point, uint64_t wall_ns) {
  using Wire = wire::ExponentialHistogramDataPoint;
  if (!point.exponential) return;
  const ExponentialBuckets& buckets = *point.exponential;
  const auto mark = writer.Begin(field);
  PutDistribution<Wire>(writer, data, point, wall_ns);
  writer.Sint(Wire::kScaleFieldNumber, buckets.scale);
  writer.Fixed64(Wire::kZeroCountFieldNumber, buckets.zero_count);
  const auto positive = writer.Begin(Wire::kPositiveFieldNumber);
  writer.Sint(Wire::Buckets::kOffsetFieldNumber, buckets.offset);
  writer.PackedVarint(Wire::Buckets::kBucketCountsFieldNumber, buckets.counts);
  writer.End(positive);
  PutExemplars(writer, Wire::kExemplarsFieldNumber, point);
  writer.End(mark);
}

void PutPoints(ProtoWriter& writer, const MetricData& data, MetricShape shape, uint64_t wall_ns) {
  for (const MetricPoint& point : data.points) {
    switch (shape) {
      case MetricShape::kSum:
        PutNumber(writer, wire::Sum::kDataPointsFieldNumber, data, point, wall_ns);
        break;
      case MetricShape::kGauge:
        PutNumber(writer, wire::Gauge::kDataPointsFieldNumber, data, point, wall_ns);
        break;
      case MetricShape::kHistogram:
        PutHistogram(writer, wire::Histogram::kDataPointsFieldNumber, data, point, wall_ns);
        break;
      case MetricShape::kExponential:
        PutExponential(writer, wire::ExponentialHistogram::kDataPointsFieldNumber, data, point,
                       wall_ns);
        break;
    }
  }
}

int FieldOf(MetricShape shape) {
  switch (shape) {
    case MetricShape::kSum:
      return wire::Metric::kSumFieldNumber;
    case MetricShape::kHistogram:
      return wire::Metric::kHistogramFieldNumber;
    case MetricShape::kExponential:
      return wire::Metric::kExponentialHistogramFieldNumber;
    case MetricShape::kGauge:
      break;
  }
  return wire::Metric::kGaugeFieldNumber;
}

void PutMetric(ProtoWriter& writer, const MetricData& data, bool exponential, uint64_t wall_ns) {
  const MetricShape shape = ShapeOf(data, exponential);
  const auto mark = writer.Begin(wire::ScopeMetrics::kMetricsFieldNumber, 3);
  writer.String(wire::Metric::kNameFieldNumber, data.name);
  writer.String(wire::Metric::kDescriptionFieldNumber, data.description);
  writer.String(wire::Metric::kUnitFieldNumber, data.unit);
  const auto body = writer.Begin(FieldOf(shape), 3);
  PutPoints(writer, data, shape, wall_ns);
  if (shape != MetricShape::kGauge) {
    // Histograms of both kinds have it under the same number.
    writer.Varint(wire::Sum::kAggregationTemporalityFieldNumber, TemporalityNumber(data));
  }
  if (shape == MetricShape::kSum && data.kind == MetricKind::kSum) {
    writer.Varint(wire::Sum::kIsMonotonicFieldNumber, 1);
  }
  writer.End(body);
  writer.End(mark);
}

}  // namespace

std::string_view MetricProtobufEncoder::Encode(const MetricBatch& batch, bool exponential) {
  out_.Clear();
  ProtoWriter writer(out_);
  for (const ResourceMetrics& of : batch.resources) {
    const auto resource_metrics = writer.Begin(wire::MetricsData::kResourceMetricsFieldNumber, 3);
    PutResource(writer, wire::ResourceMetrics::kResourceFieldNumber, of.resource.get());
    const auto scope_metrics = writer.Begin(wire::ResourceMetrics::kScopeMetricsFieldNumber, 3);
    PutScope(writer, wire::ScopeMetrics::kScopeFieldNumber);
    for (const MetricData& data : of.metrics) {
      PutMetric(writer, data, exponential, batch.wall_ns);
    }
    writer.End(scope_metrics);
    writer.End(resource_metrics);
  }
  return out_.view();
}

}  // namespace sonde::exporter
