// SPDX-License-Identifier: Apache-2.0
// Pushes of metrics, temporality and outages: whatever the receiver does, what it has in the end is
// what was measured.
#include "exporter/metrics/periodic_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporter/metrics/delta.h"
#include "exporter/otlp/metric_exporter.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exponential.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/metric.h"
#include "support/otlp_sink.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;
using sonde::support::OtlpSink;

// Series of one service that tests add to.
class Source final : public MetricSource {
 public:
  explicit Source(size_t series) : points_(series) {
    for (size_t i = 0; i < series; ++i) {
      points_[i].series = i + 1;
      points_[i].attributes =
          std::make_shared<const Attributes>(Attributes{{"number", static_cast<int64_t>(i)}});
      points_[i].counts.resize(3);
      points_[i].start_wall_ns = kNoon;
      points_[i].exponential = ExponentialBuckets{.scale = kMaxExponentialScale, .counts = {}};
    }
  }
  void Record(size_t series, double value) {
    const std::lock_guard lock(mutex_);
    MetricPoint& point = points_[series];
    ++point.counts[value <= 1 ? 0 : value <= 10 ? 1 : 2];
    ++point.count;
    point.sum += value;
    sonde::Record(*point.exponential, value);
  }
  MetricPoint point(size_t series) const {
    const std::lock_guard lock(mutex_);
    return points_[series];
  }
  std::vector<ResourceMetrics> Collect() const override {
    const std::lock_guard lock(mutex_);
    MetricData durations;
    durations.name = "duration";
    durations.kind = MetricKind::kHistogram;
    durations.bounds = std::make_shared<const std::vector<double>>(std::vector<double>{1, 10});
    durations.points = points_;
    MetricData calls;
    calls.name = "calls";
    calls.whole = true;
    calls.points = points_;
    for (MetricPoint& point : calls.points) {
      point.value = static_cast<double>(point.count);
      point.counts.clear();
      point.exponential.reset();
      point.count = 0;
      point.sum = 0;
    }
    return {{.resource = MakeResource("shop"), .metrics = {durations, calls}}};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<MetricPoint> points_;
};

// Keeps what it accepted, and answers as it is told.
class Receiver final : public MetricExporter {
 public:
  struct Kept {
    std::mutex mutex;
    std::vector<MetricBatch> batches;
    std::function<ExportOutcome(int attempt)> answer;
    int attempts = 0;
    size_t count() {
      const std::lock_guard lock(mutex);
      return batches.size();
    }
  };
  explicit Receiver(std::shared_ptr<Kept> kept) : kept_(std::move(kept)) {}
  const char* name() const override { return "otlp"; }
  ExportOutcome Export(const MetricBatch& batch, steady_clock::time_point) override {
    const std::lock_guard lock(kept_->mutex);
    const int attempt = ++kept_->attempts;
    const ExportOutcome outcome = kept_->answer ? kept_->answer(attempt) : ExportOutcome{};
    if (outcome.code == Code::kDone) kept_->batches.push_back(batch);
    return outcome;
  }

 private:
  std::shared_ptr<Kept> kept_;
};

// What the batches add up to: deltas are summed, of cumulative points the last one counts.
struct Total {
  double calls = 0;
  uint64_t count = 0;
  double sum = 0;
  std::vector<uint64_t> counts = {0, 0, 0};
  std::map<std::pair<int32_t, int64_t>, uint64_t> exponential;  // by scale and bucket
};

std::map<int64_t, Total> TotalsOf(const std::vector<MetricBatch>& batches) {
  std::map<int64_t, Total> totals;
  for (const MetricBatch& batch : batches) {
    for (const ResourceMetrics& of : batch.resources) {
      for (const MetricData& data : of.metrics) {
        if (data.name != "calls" && data.name != "duration") continue;
        for (const MetricPoint& point : data.points) {
          Total& total = totals[std::get<int64_t>(point.attributes->front().value)];
          if (data.name == "calls") {
            total.calls = point.value + (data.delta ? total.calls : 0);
            continue;
          }
          if (!data.delta) total = {.calls = total.calls, .exponential = {}};
          total.count += point.count;
          total.sum += point.sum;
          for (size_t i = 0; i < 3; ++i) total.counts[i] += point.counts[i];
          const ExponentialBuckets& buckets = *point.exponential;
          for (size_t i = 0; i < buckets.counts.size(); ++i) {
            total.exponential[{buckets.scale, buckets.offset + static_cast<int64_t>(i)}] +=
                buckets.counts[i];
          }
        }
      }
    }
  }
  return totals;
}

struct Rig {
  explicit Rig(size_t series = 3) : source(series) {}
  std::unique_ptr<PeriodicReader> Start(Temporality temporality, Milliseconds interval = 20ms,
                                        Milliseconds timeout = 500ms) {
    MetricReaderOptions options;
    options.interval = interval;
    options.timeout = timeout;
    options.temporality = temporality;
    MetricSources sources;
    sources.traced = &source;
    sources.sonde = MakeResource("sonde");
    sources.own = [this] { return metrics.Snapshot(); };
    return std::make_unique<PeriodicReader>(
        std::make_unique<Receiver>(kept), "otlp", options, sources, metrics,
        RetryOptions{.initial = 5ms, .max = 20ms, .max_elapsed = 1s});
  }
  void Stop(PeriodicReader& reader) {
    reader.BeginShutdown(steady_clock::now() + 2s);
    reader.FinishShutdown();
  }
  double Points(const char* result) {
    return static_cast<double>(metrics
                                   .AddCounter("sonde_metric_export_points_total", "",
                                               {{"exporter", "otlp"}, {"result", result}})
                                   .value());
  }
  void CheckTotals() {
    const auto totals = TotalsOf(kept->batches);
    for (const auto& [number, total] : totals) {
      const MetricPoint wanted = source.point(static_cast<size_t>(number));
      EXPECT_EQ(total.calls, static_cast<double>(wanted.count));
      EXPECT_EQ(total.count, wanted.count);
      EXPECT_NEAR(total.sum, wanted.sum, 1e-6 * wanted.sum);
      EXPECT_EQ(total.counts, wanted.counts);
      // Deltas have the scale of their time: brought to the last one they are the same buckets.
      std::map<int64_t, uint64_t> merged;
      for (const auto& [bucket, count] : total.exponential) {
        merged[bucket.second >> (bucket.first - wanted.exponential->scale)] += count;
      }
      for (size_t i = 0; i < wanted.exponential->counts.size(); ++i) {
        EXPECT_EQ(merged[wanted.exponential->offset + static_cast<int64_t>(i)],
                  wanted.exponential->counts[i]);
      }
    }
    EXPECT_EQ(totals.size(), source.Collect()[0].metrics[0].points.size());
  }
  MetricRegistry metrics;
  Source source;
  std::shared_ptr<Receiver::Kept> kept = std::make_shared<Receiver::Kept>();
};

void Measure(Source& source, size_t series, int values, Milliseconds over) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> distribution(0, 2);
  for (int i = 0; i < values; ++i) {
    source.Record(random() % series, distribution(random));
    if (i % 100 == 0) std::this_thread::sleep_for(over * 100 / values);
  }
  for (size_t i = 0; i < series; ++i) source.Record(i, 1);
}

class Temporalities : public ::testing::TestWithParam<Temporality> {};

TEST_P(Temporalities, WhatTheReceiverHasIsWhatWasMeasured) {
  Rig rig;
  const auto reader = rig.Start(GetParam());
  Measure(rig.source, 3, 5000, 200ms);
  rig.Stop(*reader);
  EXPECT_GT(rig.kept->count(), 3U);
  rig.CheckTotals();
  EXPECT_EQ(rig.Points("failed"), 0);
}

TEST_P(Temporalities, AnOutageCostsNoCounts) {
  Rig rig;
  std::atomic<bool> away{true};
  int failures = 0;
  rig.kept->answer = [&](int) {
    if (!away) return ExportOutcome{};
    // Lost for now, refused for good, and too slow.
    const Code code = ++failures % 3 == 0 ? Code::kFailed : Code::kRetry;
    return ExportOutcome{.code = code, .message = "away"};
  };
  const auto reader = rig.Start(GetParam(), 10ms, 30ms);
  Measure(rig.source, 3, 2000, 150ms);
  EXPECT_EQ(rig.kept->count(), 0U);
  EXPECT_GT(rig.Points("failed"), 0);
  away = false;
  Measure(rig.source, 3, 2000, 100ms);
  rig.Stop(*reader);
  rig.CheckTotals();
}

INSTANTIATE_TEST_SUITE_P(All, Temporalities,
                         ::testing::Values(Temporality::kCumulative, Temporality::kDelta,
                                           Temporality::kLowMemory));

TEST(PeriodicReader, DeltasFollowOneAnother) {
  Rig rig(1);
  const auto reader = rig.Start(Temporality::kDelta);
  Measure(rig.source, 1, 2000, 200ms);
  rig.Stop(*reader);
  uint64_t end = 0;
  for (const MetricBatch& batch : rig.kept->batches) {
    for (const ResourceMetrics& of : batch.resources) {
      for (const MetricData& data : of.metrics) {
        if (data.name != "duration") continue;
        ASSERT_EQ(data.points.size(), 1U);
        if (end != 0) {
          EXPECT_EQ(data.points[0].start_wall_ns, end);
        }
        EXPECT_GT(data.points[0].count, 0U) << "nothing new is not said";
        end = batch.wall_ns;
      }
    }
  }
}

TEST(PeriodicReader, OwnMetricsFollowThePreference) {
  for (const auto temporality :
       {Temporality::kCumulative, Temporality::kDelta, Temporality::kLowMemory}) {
    Rig rig(1);
    Counter& drops =
        rig.metrics.AddCounter("sonde_spans_dropped_total", "Help.", {{"reason", "test"}});
    drops.Add(5);
    const auto reader = rig.Start(temporality);
    while (rig.kept->count() < 2) std::this_thread::sleep_for(1ms);
    drops.Add(2);
    rig.Stop(*reader);
    double sum = 0;
    double last = 0;
    for (const MetricBatch& batch : rig.kept->batches) {
      for (const ResourceMetrics& of : batch.resources) {
        for (const MetricData& data : of.metrics) {
          if (data.name != "sonde_spans_dropped_total") continue;
          EXPECT_EQ(of.resource->service_name, "sonde");
          EXPECT_EQ(data.delta, temporality == Temporality::kDelta);
          last = data.points[0].value;
          sum += last;
        }
      }
    }
    EXPECT_EQ(temporality == Temporality::kDelta ? sum : last, 7);
  }
}

TEST(PeriodicReader, NoRequestIsLargerThanReceiversTake) {
  Rig rig(2500);
  const auto reader = rig.Start(Temporality::kCumulative, 10s);
  Measure(rig.source, 2500, 3000, 0ms);
  rig.Stop(*reader);
  EXPECT_GE(rig.kept->count(), 6U);
  for (const MetricBatch& batch : rig.kept->batches) {
    EXPECT_LE(batch.points, PeriodicReader::kMaxPoints);
  }
  rig.CheckTotals();
}

TEST(PeriodicReader, AnEndpointThatIsAwayHoldsUpNoStop) {
  Rig rig(1);
  rig.kept->answer = [](int) {
    return ExportOutcome{.code = Code::kRetry, .retry_after = 60s, .message = "later"};
  };
  const auto reader = rig.Start(Temporality::kCumulative);
  rig.source.Record(0, 1);
  std::this_thread::sleep_for(50ms);
  const auto begin = steady_clock::now();
  rig.Stop(*reader);
  EXPECT_LT(steady_clock::now() - begin, 2500ms);
}

std::string ProtocolName(const ::testing::TestParamInfo<OtlpProtocol>& info) {
  if (info.param == OtlpProtocol::kGrpc) return "Grpc";
  return info.param == OtlpProtocol::kHttpJson ? "HttpJson" : "HttpProtobuf";
}

// Over the wire, against protobuf's and gRPC's own code.
class OtlpMetrics : public ::testing::TestWithParam<OtlpProtocol> {};

TEST_P(OtlpMetrics, ArriveAndAreJudged) {
  const bool grpc = GetParam() == OtlpProtocol::kGrpc;
  const auto sink = grpc ? sonde::support::StartGrpcSink() : sonde::support::StartHttpSink();
  ASSERT_NE(sink, nullptr);
  OtlpOptions options;
  options.protocol = GetParam();
  options.endpoint =
      "http://127.0.0.1:" + std::to_string(sink->port()) + (grpc ? "" : "/v1/metrics");
  auto exporter = OtlpMetricExporter::Create(options, true);
  ASSERT_TRUE(exporter.ok()) << exporter.status();
  Source source(2);
  source.Record(0, 0.5);
  const MetricBatch batch{
      .number = 1, .wall_ns = kNoon, .resources = source.Collect(), .points = 4};
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 5s).code, Code::kDone);
  const auto accepted = sink->accepted_metrics();
  ASSERT_EQ(accepted.size(), 1U);
  const auto& metrics = accepted[0].resource_metrics(0).scope_metrics(0).metrics();
  EXPECT_EQ(metrics[0].exponential_histogram().data_points(0).count(), 1U);
  EXPECT_EQ(metrics[1].sum().data_points(0).as_int(), 1);
  sink->set_script([](int) { return OtlpSink::Answer{.rejected_spans = 3, .message = "no"}; });
  const ExportOutcome partial = (*exporter)->Export(batch, steady_clock::now() + 5s);
  EXPECT_EQ(partial.rejected, 3U);
  EXPECT_EQ(partial.message, "no");
  sink->set_script([&](int) { return OtlpSink::Answer{.code = grpc ? 14 : 503, .message = "x"}; });
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 5s).code, Code::kRetry);
  sink->set_script([&](int) { return OtlpSink::Answer{.code = grpc ? 3 : 400, .message = "x"}; });
  EXPECT_EQ((*exporter)->Export(batch, steady_clock::now() + 5s).code, Code::kFailed);
}

INSTANTIATE_TEST_SUITE_P(Protocols, OtlpMetrics,
                         ::testing::Values(OtlpProtocol::kGrpc, OtlpProtocol::kHttpProtobuf,
                                           OtlpProtocol::kHttpJson),
                         ProtocolName);

}  // namespace
}  // namespace sonde::exporter
