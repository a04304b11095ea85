// SPDX-License-Identifier: Apache-2.0
// Metrics as bytes: what protobuf's own code reads out of both encodings.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "exporter/otlp/metric_json_encoder.h"
#include "exporter/otlp/metric_protobuf_encoder.h"
#include "opentelemetry/proto/metrics/v1/metrics.pb.h"
#include "sonde/base/ids.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

namespace wire = opentelemetry::proto::metrics::v1;

MetricPoint Histogram() {
  MetricPoint point;
  point.attributes = std::make_shared<const Attributes>(
      Attributes{{"http.route", std::string("/a")}, {"http.response.status_code", int64_t{200}}});
  point.start_wall_ns = kNoon;
  point.counts = {1, 0, 300};
  point.count = 301;
  point.sum = 12.5;
  point.min = 0.25;
  point.max = 7;
  point.exponential =
      ExponentialBuckets{.scale = -2, .offset = -7, .zero_count = 4, .counts = {1, 0, 300}};
  IdGenerator ids(7);
  point.exemplars = {
      {.trace_id = ids.NewTraceId(), .span_id = ids.NewSpanId(), .value = 6.5, .wall_ns = kNoon}};
  return point;
}

MetricData Named(const std::string& name, MetricKind kind, double value) {
  MetricData data{.name = name,
                  .unit = "{request}",
                  .description = "D \"x\".",
                  .kind = kind,
                  .bounds = nullptr,
                  .points = {}};
  MetricPoint point;
  point.start_wall_ns = kNoon;
  point.value = value;
  data.points.push_back(point);
  return data;
}

MetricBatch Batch(bool delta = false) {
  MetricData duration{
      .name = "http.server.request.duration",
      .unit = "s",
      .description = "Duration.",
      .kind = MetricKind::kHistogram,
      .bounds = std::make_shared<const std::vector<double>>(std::vector<double>{0.005, 0.1}),
      .delta = delta,
      .points = {}};
  duration.points.push_back(Histogram());
  MetricData calls = Named("calls", MetricKind::kSum, 5'000'000'000);
  calls.whole = true;
  calls.delta = delta;
  return {.number = 1,
          .wall_ns = kNoon + 1000,
          .resources = {{.resource = MakeResource("shop"),
                         .metrics = {duration, calls, Named("up", MetricKind::kUpDownSum, -3),
                                     Named("gauge", MetricKind::kGauge, 0.5)}},
                        {.resource = nullptr, .metrics = {Named("own", MetricKind::kSum, 1.5)}}},
          .points = 5};
}

wire::MetricsData FromProtobuf(const MetricBatch& batch, bool exponential) {
  MetricProtobufEncoder encoder;
  wire::MetricsData data;
  EXPECT_TRUE(data.ParseFromString(std::string(encoder.Encode(batch, exponential))));
  return data;
}

// Ids are hexadecimal in OTLP/JSON, where protobuf's mapping would have base64: they are read by
// another library.
wire::MetricsData FromJson(const MetricBatch& batch, bool exponential) {
  MetricJsonEncoder encoder;
  auto json = nlohmann::json::parse(encoder.Encode(batch, exponential));
  for (auto& metric : json["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]) {
    for (const char* kind : {"histogram", "exponentialHistogram"}) {
      if (!metric.contains(kind)) continue;
      for (auto& point : metric[kind]["dataPoints"]) {
        for (auto& exemplar : point["exemplars"]) {
          EXPECT_EQ(exemplar["traceId"].get<std::string>().size(), 32U);
          EXPECT_EQ(exemplar["spanId"].get<std::string>().size(), 16U);
          exemplar.erase("traceId");
          exemplar.erase("spanId");
        }
      }
    }
  }
  wire::MetricsData data;
  const auto status = google::protobuf::util::JsonStringToMessage(json.dump(), &data);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return data;
}

void CheckAll(const wire::MetricsData& data, bool delta) {
  ASSERT_EQ(data.resource_metrics_size(), 2);
  const auto& first = data.resource_metrics(0);
  EXPECT_EQ(first.resource().attributes(0).value().string_value(), "shop");
  EXPECT_EQ(first.scope_metrics(0).scope().name(), "sonde");
  const auto& metrics = first.scope_metrics(0).metrics();
  ASSERT_EQ(metrics.size(), 4);
  const auto temporality =
      delta ? wire::AGGREGATION_TEMPORALITY_DELTA : wire::AGGREGATION_TEMPORALITY_CUMULATIVE;
  EXPECT_EQ(metrics[1].description(), "D \"x\".");
  EXPECT_EQ(metrics[1].unit(), "{request}");
  EXPECT_EQ(metrics[1].sum().data_points(0).as_int(), 5'000'000'000);
  EXPECT_TRUE(metrics[1].sum().is_monotonic());
  EXPECT_EQ(metrics[1].sum().aggregation_temporality(), temporality);
  EXPECT_EQ(metrics[2].sum().data_points(0).as_double(), -3);
  EXPECT_FALSE(metrics[2].sum().is_monotonic());
  EXPECT_EQ(metrics[2].sum().aggregation_temporality(), wire::AGGREGATION_TEMPORALITY_CUMULATIVE);
  EXPECT_EQ(metrics[3].gauge().data_points(0).as_double(), 0.5);
  EXPECT_EQ(metrics[3].gauge().data_points(0).time_unix_nano(), kNoon + 1000);
  EXPECT_EQ(data.resource_metrics(1).resource().attributes_size(), 0);
}

void CheckExplicit(const wire::Metric& metric, bool delta) {
  EXPECT_EQ(metric.name(), "http.server.request.duration");
  ASSERT_TRUE(metric.has_histogram());
  const auto& point = metric.histogram().data_points(0);
  EXPECT_EQ(point.attributes(1).value().int_value(), 200);
  EXPECT_EQ(point.start_time_unix_nano(), kNoon);
  EXPECT_EQ(point.count(), 301U);
  EXPECT_EQ(point.sum(), 12.5);
  EXPECT_EQ(point.has_min(), !delta);
  if (!delta) {
    EXPECT_EQ(point.min() + point.max(), 7.25);
  }
  EXPECT_EQ(std::vector<uint64_t>(point.bucket_counts().begin(), point.bucket_counts().end()),
            (std::vector<uint64_t>{1, 0, 300}));
  EXPECT_EQ(std::vector<double>(point.explicit_bounds().begin(), point.explicit_bounds().end()),
            (std::vector<double>{0.005, 0.1}));
  ASSERT_EQ(point.exemplars_size(), 1);
  EXPECT_EQ(point.exemplars(0).as_double(), 6.5);
}

void CheckExponential(const wire::Metric& metric) {
  ASSERT_TRUE(metric.has_exponential_histogram());
  const auto& point = metric.exponential_histogram().data_points(0);
  EXPECT_EQ(point.count(), 301U);
  EXPECT_EQ(point.scale(), -2);
  EXPECT_EQ(point.zero_count(), 4U);
  EXPECT_EQ(point.positive().offset(), -7);
  const auto& counts = point.positive().bucket_counts();
  EXPECT_EQ(std::vector<uint64_t>(counts.begin(), counts.end()),
            (std::vector<uint64_t>{1, 0, 300}));
  EXPECT_EQ(metric.exponential_histogram().aggregation_temporality(),
            wire::AGGREGATION_TEMPORALITY_CUMULATIVE);
}

TEST(MetricEncoder, ExplicitBuckets) {
  for (const bool delta : {false, true}) {
    for (const auto& data : {FromProtobuf(Batch(delta), false), FromJson(Batch(delta), false)}) {
      CheckAll(data, delta);
      CheckExplicit(data.resource_metrics(0).scope_metrics(0).metrics(0), delta);
    }
  }
}

TEST(MetricEncoder, ExponentialBuckets) {
  for (const auto& data : {FromProtobuf(Batch(), true), FromJson(Batch(), true)}) {
    CheckAll(data, false);
    CheckExponential(data.resource_metrics(0).scope_metrics(0).metrics(0));
  }
}

TEST(MetricEncoder, ExemplarsCarryTheIdsOfTheirTrace) {
  const MetricBatch batch = Batch();
  const Exemplar& exemplar = batch.resources[0].metrics[0].points[0].exemplars[0];
  const auto data = FromProtobuf(batch, false);
  const auto& read =
      data.resource_metrics(0).scope_metrics(0).metrics(0).histogram().data_points(0).exemplars(0);
  EXPECT_EQ(read.trace_id(), exemplar.trace_id.view());
  EXPECT_EQ(read.span_id(), exemplar.span_id.view());
  MetricJsonEncoder encoder;
  EXPECT_NE(encoder.Encode(batch, false).find(exemplar.trace_id.ToHex()), std::string::npos);
}

}  // namespace
}  // namespace sonde::exporter
