// SPDX-License-Identifier: Apache-2.0
#include "exporter/batch_processor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporter/exporter_set.h"
#include "unit/exporter/samples.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;

steady_clock::time_point In(std::chrono::milliseconds time) { return steady_clock::now() + time; }

// Does what the test says, and remembers what it accepted.
class ScriptedExporter final : public SpanExporter {
 public:
  struct Record {
    std::mutex mutex;
    std::vector<SpanId> accepted;
    std::vector<steady_clock::time_point> attempts;
    std::atomic<bool> cancelled{false};
    std::atomic<int> ticks{0};
    std::atomic<int> flushes{0};
  };
  struct Call {
    size_t attempt;
    Record& record;
  };
  using Script = std::function<ExportOutcome(const Call&)>;

  ScriptedExporter(std::shared_ptr<Record> record, Script script)
      : record_(std::move(record)), script_(std::move(script)) {}

  const char* name() const override { return "scripted"; }
  ExportOutcome Export(std::span<const Span> batch, steady_clock::time_point) override {
    size_t attempt = 0;
    {
      const std::lock_guard lock(record_->mutex);
      record_->attempts.push_back(steady_clock::now());
      attempt = record_->attempts.size();
    }
    const ExportOutcome outcome = script_({attempt, *record_});
    const std::lock_guard lock(record_->mutex);
    if (outcome.code == Code::kDone) {
      for (const Span& span : batch) record_->accepted.push_back(span.span_id);
    }
    return outcome;
  }
  void Tick() override { ++record_->ticks; }
  void Flush() override { ++record_->flushes; }
  void Cancel() override { record_->cancelled = true; }

 private:
  std::shared_ptr<Record> record_;  // the test looks at it after the exporter has gone
  Script script_;
};

ExportOutcome Always(Code code) { return {.code = code, .message = "as told"}; }

class BatchProcessorTest : public testing::Test {
 protected:
  void Start(ScriptedExporter::Script script) {
    std::vector<std::unique_ptr<SpanExporter>> exporters;
    exporters.push_back(std::make_unique<ScriptedExporter>(record_, std::move(script)));
    set_ =
        std::make_unique<ExporterSet>(Labelled(std::move(exporters)), options_, metrics_, retry_);
  }
  void Send(size_t count) {
    for (size_t i = 0; i < count; ++i) set_->OnSpan(ServerSpan(++sent_, nullptr));
  }
  double Metric(const std::string& name, const std::string& value = "",
                const std::string& exporter = "scripted") {
    double sum = 0;
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        bool matches = value.empty();
        bool mine = false;
        for (const auto& [key, label] : sample.labels) {
          matches = matches || label == value;
          mine = mine || label == exporter;
        }
        if (matches && mine) sum += sample.value;
      }
    }
    return sum;
  }
  void ExpectAccounted() {
    EXPECT_EQ(Metric("sonde_export_spans_total", "exported") + Metric("sonde_spans_dropped_total") +
                  Metric("sonde_export_queue_length"),
              static_cast<double>(sent_));
  }
  size_t Accepted() {
    const std::lock_guard lock(record_->mutex);
    return record_->accepted.size();
  }

  BatchOptions options_{.max_queue_size = 100,
                        .max_export_batch_size = 10,
                        .schedule_delay = 50ms,
                        .export_timeout = 1000ms};
  RetryOptions retry_{.initial = 5ms, .max = 20ms, .max_elapsed = 200ms};
  MetricRegistry metrics_;
  std::shared_ptr<ScriptedExporter::Record> record_ = std::make_shared<ScriptedExporter::Record>();
  std::unique_ptr<ExporterSet> set_;
  size_t sent_ = 0;
};

TEST_F(BatchProcessorTest, DeliversEverySpanOnceAndInOrder) {
  Start([](const ScriptedExporter::Call&) { return Always(Code::kDone); });
  Send(95);
  EXPECT_EQ(set_->Shutdown(In(5s)), 0U);
  ASSERT_EQ(record_->accepted.size(), 95U);
  for (size_t i = 0; i < 95; ++i)
    EXPECT_EQ(record_->accepted[i], ServerSpan(i + 1, nullptr).span_id);
  EXPECT_EQ(Metric("sonde_export_batches_total", "done"), 10);
  EXPECT_EQ(Metric("sonde_export_queue_length"), 0);
  EXPECT_EQ(record_->flushes, 1);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, PartialBatchLeavesAfterTheScheduleDelay) {
  Start([](const ScriptedExporter::Call&) { return Always(Code::kDone); });
  Send(3);
  set_->OnTick(1'000'000'000);
  set_->OnTick(1'049'000'000);
  EXPECT_EQ(Metric("sonde_export_batches_total"), 0);
  set_->OnTick(1'050'000'000);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Accepted(), 3U);
}

TEST_F(BatchProcessorTest, RetriesWithGrowingPausesUntilItWorks) {
  retry_ = {.initial = 20ms, .max = 80ms, .max_elapsed = 10s};
  Start([](const ScriptedExporter::Call& call) {
    return Always(call.attempt < 5 ? Code::kRetry : Code::kDone);
  });
  Send(10);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Accepted(), 10U);
  ASSERT_EQ(record_->attempts.size(), 5U);
  const std::chrono::milliseconds least[] = {10ms, 20ms, 40ms,
                                             40ms};  // half of 20, 40, 80 and the cap
  for (size_t i = 0; i < 4; ++i)
    EXPECT_GE(record_->attempts[i + 1] - record_->attempts[i], least[i]);
  EXPECT_EQ(Metric("sonde_export_batches_total", "retry"), 4);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, HonoursWhatTheReceiverAsksFor) {
  Start([](const ScriptedExporter::Call& call) {
    return call.attempt == 1 ? ExportOutcome{Code::kRetry, 0, 120ms, "wait"} : Always(Code::kDone);
  });
  Send(10);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_GE(record_->attempts[1] - record_->attempts[0], 120ms);
}

TEST_F(BatchProcessorTest, GivesUpABatchAfterItsTimeAndGoesOn) {
  Start([](const ScriptedExporter::Call&) { return Always(Code::kRetry); });
  Send(20);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "retry_expired"), 20);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, PermanentFailureAndPartialSuccessAreCounted) {
  Start([](const ScriptedExporter::Call& call) {
    return call.attempt == 1 ? Always(Code::kFailed) : ExportOutcome{Code::kDone, 4, 0ms, "four"};
  });
  Send(20);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "export_failed"), 10);
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "export_rejected"), 4);
  EXPECT_EQ(Metric("sonde_export_spans_total", "exported"), 6);
  EXPECT_EQ(record_->attempts.size(), 2U);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, FullQueueDropsTheNewestAndNeverBlocks) {
  std::atomic<bool> open{false};
  Start([&](const ScriptedExporter::Call&) { return Always(open ? Code::kDone : Code::kRetry); });
  const auto start = steady_clock::now();
  Send(1000);
  EXPECT_LT(steady_clock::now() - start, 500ms);
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "queue_full"), 900);
  EXPECT_EQ(Metric("sonde_export_queue_length"), 100);
  ExpectAccounted();
  open = true;
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  ASSERT_EQ(Accepted(), 100U);
  EXPECT_EQ(record_->accepted.front(), ServerSpan(1, nullptr).span_id);
  EXPECT_EQ(record_->accepted.back(), ServerSpan(100, nullptr).span_id);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, WithLittleMemoryTheOldestThatWaitAreGivenUpAndThenAllThatIsNew) {
  std::atomic<bool> open{false};
  retry_.max_elapsed = 10s;
  Start([&](const ScriptedExporter::Call&) { return Always(open ? Code::kDone : Code::kRetry); });
  Send(80);
  set_->SetMemoryLevel(MemoryLevel::kSoft);
  // The front is on its way; of the rest an eighth of 100, in whole batches, stays.
  EXPECT_LE(Metric("sonde_export_queue_length"), 20);
  EXPECT_GE(Metric("sonde_spans_dropped_total", "memory_limit"), 60);
  ExpectAccounted();
  set_->SetMemoryLevel(MemoryLevel::kHard);
  for (int i = 0; i < 50; ++i) set_->OnSpan(ServerSpan(1000, nullptr));
  EXPECT_EQ(
      metrics_.AddCounter("sonde_spans_dropped_total", "", {{"reason", "memory_limit"}}).value(),
      50U);
  set_->SetMemoryLevel(MemoryLevel::kFine);
  open = true;
  Send(10);
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(record_->accepted.back(), ServerSpan(90, nullptr).span_id);
  EXPECT_EQ(set_->Shutdown(In(1s)), 0U);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, ShutdownReportsWhatAnAbsentEndpointDidNotTake) {
  retry_ = {.initial = 10s, .max = 10s, .max_elapsed = 60s};
  Start([](const ScriptedExporter::Call&) { return Always(Code::kRetry); });
  Send(35);
  std::this_thread::sleep_for(50ms);  // the first attempt fails and its long pause begins
  const auto start = steady_clock::now();
  EXPECT_EQ(set_->Shutdown(In(5s)), 35U);
  EXPECT_LT(steady_clock::now() - start, 3s);  // two more attempts show that it is away
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "shutdown"), 35);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, ShutdownCancelsAnExportThatHangs) {
  Start([](const ScriptedExporter::Call& call) {
    while (!call.record.cancelled) std::this_thread::sleep_for(1ms);
    return Always(Code::kRetry);
  });
  Send(25);
  std::this_thread::sleep_for(20ms);
  const auto start = steady_clock::now();
  EXPECT_EQ(set_->Shutdown(In(200ms)), 25U);
  EXPECT_LT(steady_clock::now() - start, 1s);
  ExpectAccounted();
}

TEST_F(BatchProcessorTest, OneExporterThatHangsLeavesTheOtherAlone) {
  auto good = std::make_shared<ScriptedExporter::Record>();
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(
      std::make_unique<ScriptedExporter>(record_, [](const ScriptedExporter::Call& call) {
        while (!call.record.cancelled) std::this_thread::sleep_for(1ms);
        return Always(Code::kRetry);
      }));
  exporters.push_back(std::make_unique<ScriptedExporter>(
      good, [](const ScriptedExporter::Call&) { return Always(Code::kDone); }));
  options_.max_queue_size = 10'000;
  set_ = std::make_unique<ExporterSet>(Labelled(std::move(exporters)), options_, metrics_, retry_);
  Send(5000);
  EXPECT_FALSE(set_->ForceFlush(In(300ms)));  // gives the second one the time to finish
  {
    const std::lock_guard lock(good->mutex);
    EXPECT_EQ(good->accepted.size(), 5000U);
  }
  EXPECT_EQ(Metric("sonde_export_spans_total", "exported", "scripted/2"), 5000);
  EXPECT_EQ(set_->Shutdown(In(50ms)), 5000U);
}

TEST_F(BatchProcessorTest, TicksWhileIdle) {
  Start([](const ScriptedExporter::Call&) { return Always(Code::kDone); });
  std::this_thread::sleep_for(450ms);
  EXPECT_GE(record_->ticks, 2);
}

TEST_F(BatchProcessorTest, DestructionWithoutShutdownCountsTheLoss) {
  Start([](const ScriptedExporter::Call&) { return Always(Code::kRetry); });
  Send(30);
  set_.reset();
  EXPECT_EQ(Metric("sonde_spans_dropped_total"), 30);
}

// A rule may say which exporters get the spans of its processes.
TEST_F(BatchProcessorTest, ARuleChoosesTheExporters) {
  const auto second = std::make_shared<ScriptedExporter::Record>();
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  const auto done = [](const ScriptedExporter::Call&) { return Always(Code::kDone); };
  exporters.push_back(std::make_unique<ScriptedExporter>(record_, done));
  exporters.push_back(std::make_unique<ScriptedExporter>(second, done));
  set_ = std::make_unique<ExporterSet>(Labelled(std::move(exporters)), options_, metrics_, retry_);
  const auto of_rule = [](std::optional<std::vector<std::string>> labels) {
    auto resource = std::make_shared<Resource>();
    resource->rule = std::make_shared<const RuleSettings>(
        RuleSettings{.service_name = "", .exporters = std::move(labels)});
    return resource;
  };
  const auto all = of_rule(std::nullopt);
  const auto one = of_rule(std::vector<std::string>{"scripted/2"});
  const auto none = of_rule(std::vector<std::string>());
  for (size_t i = 0; i < 4; ++i) {
    for (const auto& resource : {all, one, none}) set_->OnSpan(ServerSpan(++sent_, resource));
    Send(1);
  }
  EXPECT_EQ(set_->Shutdown(In(5s)), 0U);
  EXPECT_EQ(record_->accepted.size(), 8U);
  EXPECT_EQ(second->accepted.size(), 12U);
  EXPECT_EQ(
      metrics_.AddCounter("sonde_spans_dropped_total", "", {{"reason", "no_exporter"}}).value(),
      4U);
}

TEST(ExporterSetTest, WithoutExportersSpansAreCounted) {
  MetricRegistry metrics;
  ExporterSet set({}, {}, metrics);
  set.OnSpan(ServerSpan(1, nullptr));
  EXPECT_EQ(
      metrics.AddCounter("sonde_spans_dropped_total", "", {{"reason", "no_exporter"}}).value(), 1U);
  EXPECT_EQ(set.Shutdown(In(1s)), 0U);
}

}  // namespace
}  // namespace sonde::exporter
