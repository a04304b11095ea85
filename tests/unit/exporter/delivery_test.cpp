// SPDX-License-Identifier: Apache-2.0
// Spans in = exported + dropped(by reason) + in queue, to the span, whatever the receiver does, and
// when sonde is stopped in the middle of it. Real exporters, a real receiver over loopback.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "exporter/exporter_set.h"
#include "exporter/queue/spool.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "support/cutting_proxy.h"
#include "support/otlp_sink.h"
#include "unit/exporter/samples.h"
#include "unit/exporter/temporary_directory.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using sonde::support::CuttingProxy;
using sonde::support::OtlpSink;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kSpans = 4000;
constexpr int kUnavailable = 14;

struct Fault {
  std::string name;
  // The receiver's answer to request `number`; `bad` is a status of this protocol to be retried.
  std::function<OtlpSink::Answer(int number, int bad)> answer;
  size_t cut_after = 0;    // bytes after which each second connection breaks; 0: never
  bool goes_away = false;  // for the middle third of the spans
};

std::vector<Fault> Faults() {
  using Answer = OtlpSink::Answer;
  return {
      {"Hangs", [](int n, int) { return Answer{.delay_ms = n % 4 == 2 ? 700 : 0}; }},
      {"Throttles",
       [](int n, int bad) {
         return n % 3 == 1 ? Answer{.code = bad, .retry_after_s = n == 1 ? 1 : 0} : Answer{};
       }},
      {"Refuses", [](int n, int) { return n % 3 == 0 ? Answer{.code = 3} : Answer{}; }},
      {"TakesAPart", [](int n, int) { return Answer{.rejected_spans = n % 5}; }},
      {"IsSlow", [](int, int) { return Answer{.delay_ms = 40}; }},
      {.name = "ClosesMidStream", .answer = nullptr, .cut_after = 30'000},
      {.name = "GoesAway", .answer = nullptr, .cut_after = 0, .goes_away = true},
  };
}

using Case =
    std::tuple<OtlpProtocol, Fault, int /* milliseconds until the stop */, bool /* on disk */>;

class DeliveryTest : public testing::TestWithParam<Case> {
 protected:
  static bool grpc() { return std::get<0>(GetParam()) == OtlpProtocol::kGrpc; }
  static const Fault& fault() { return std::get<1>(GetParam()); }

  void StartSink(int port) {
    sink_ = grpc() ? sonde::support::StartGrpcSink(port) : sonde::support::StartHttpSink(port);
    ASSERT_NE(sink_, nullptr);
    if (fault().answer == nullptr) return;
    sink_->set_script([](int number) {
      OtlpSink::Answer answer = fault().answer(number, grpc() ? kUnavailable : 503);
      if (!grpc() && answer.code == 3) answer.code = 400;
      return answer;
    });
  }
  void Remember() {
    for (const auto& request : sink_->accepted()) {
      for (const auto& resource : request.resource_spans()) {
        for (const auto& span : resource.scope_spans(0).spans()) arrived_.insert(span.span_id());
      }
    }
  }
  std::unique_ptr<ExporterSet> Start(int port) {
    OtlpOptions otlp;
    otlp.protocol = std::get<0>(GetParam());
    otlp.endpoint = "http://127.0.0.1:" + std::to_string(port) + (grpc() ? "" : "/v1/traces");
    otlp.timeout = 250ms;
    auto exporter = CreateExporter({.kind = ExporterKind::kOtlp, .target = "", .otlp = otlp});
    EXPECT_TRUE(exporter.ok()) << exporter.status();
    std::vector<std::unique_ptr<SpanExporter>> exporters;
    exporters.push_back(*std::move(exporter));
    auto destinations = Labelled(std::move(exporters));
    if (std::get<3>(GetParam())) {
      destinations[0].spool = *Spool::Open(directory_.path(), QueueOptions(), "otlp", metrics_);
    }
    return std::make_unique<ExporterSet>(
        std::move(destinations),
        BatchOptions{.max_queue_size = 1500, .max_export_batch_size = 100, .schedule_delay = 10ms},
        metrics_, RetryOptions{.initial = 5ms, .max = 50ms, .max_elapsed = 400ms});
  }
  double Sum(const std::string& name, const std::string& result = "") {
    double sum = 0;
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        for (const auto& [key, value] : sample.labels) {
          if (result.empty() ? key == "exporter" : value == result) sum += sample.value;
        }
      }
    }
    return sum;
  }

  const TemporaryDirectory directory_;
  MetricRegistry metrics_;
  std::unique_ptr<OtlpSink> sink_;
  std::set<std::string> arrived_;
};

TEST_P(DeliveryTest, TheSumFits) {
  StartSink(0);
  const int port = sink_->port();
  std::unique_ptr<CuttingProxy> proxy;
  if (fault().cut_after > 0) {
    proxy = std::make_unique<CuttingProxy>(port, [](int number) {
      return number % 2 == 1 ? fault().cut_after + static_cast<size_t>(number) * 977 : 0;
    });
  }
  auto set = Start(proxy != nullptr ? proxy->port() : port);
  const auto stop = steady_clock::now() + milliseconds(std::get<2>(GetParam()));
  size_t sent = 0;
  steady_clock::duration longest{};
  for (; sent < kSpans && steady_clock::now() < stop; ++sent) {
    const auto before = steady_clock::now();
    set->OnSpan(ServerSpan(sent + 1, nullptr));
    longest = std::max(longest, steady_clock::now() - before);
    if (sent % 50 == 0) std::this_thread::sleep_for(2ms);
    if (fault().goes_away && sent == kSpans / 4) {
      sink_->Stop();
      Remember();
      sink_.reset();
    }
    if (fault().goes_away && sent == kSpans / 2) StartSink(port);
  }
  std::this_thread::sleep_until(stop);
  set->Shutdown(steady_clock::now() + 600ms);
  EXPECT_LT(steady_clock::now() - stop, 1500ms) << "the stop is in time";
  EXPECT_LT(longest, 500ms) << "the drain thread does not wait";
  EXPECT_EQ(Sum("sonde_export_spans_total", "exported") + Sum("sonde_spans_dropped_total") +
                Sum("sonde_export_queue_length"),
            sent);
  if (!std::get<3>(GetParam())) {
    EXPECT_EQ(Sum("sonde_export_queue_length"), 0);
  }
  EXPECT_GT(sent, 0U);
  if (sink_ != nullptr) Remember();
  EXPECT_GE(arrived_.size(), Sum("sonde_export_spans_total", "exported"));
  EXPECT_LE(arrived_.size(), sent);
  if (!std::get<3>(GetParam())) return;
  // The next start finds every span that is still in the queue, to the span.
  const double left = Sum("sonde_export_queue_length");
  set.reset();
  MetricRegistry next;
  const auto spool = Spool::Open(directory_.path(), QueueOptions(), "otlp", next);
  double found = 0;
  for (const Spool::Item& item : (*spool)->TakeFound()) found += item.batch.record.spans;
  EXPECT_EQ(found, left);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, DeliveryTest,
    testing::Combine(testing::Values(OtlpProtocol::kGrpc, OtlpProtocol::kHttpProtobuf),
                     testing::ValuesIn(Faults()), testing::Values(60, 800), testing::Bool()),
    [](const auto& instance) {
      return std::string(std::get<0>(instance.param) == OtlpProtocol::kGrpc ? "Grpc" : "Http") +
             std::get<1>(instance.param).name + std::to_string(std::get<2>(instance.param)) + "ms" +
             (std::get<3>(instance.param) ? "OnDisk" : "");
    });

}  // namespace
}  // namespace sonde::exporter
