// SPDX-License-Identifier: Apache-2.0
// A batch processor with its queue on disk: outages, restarts, kill -9, disks that do not do their
// part.
#include "exporter/queue/spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exporter/exporter_set.h"
#include "exporter/otlp/protobuf_decoder.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "unit/exporter/samples.h"
#include "unit/exporter/temporary_directory.h"

namespace sonde::exporter {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = ExportOutcome::Code;

steady_clock::time_point In(std::chrono::milliseconds time) { return steady_clock::now() + time; }

// A receiver that is there or not.
struct Receiver {
  std::atomic<bool> up{true};
  std::mutex mutex;
  std::vector<std::string> names;  // of the spans that it has, in order
};

class SwitchedExporter final : public SpanExporter {
 public:
  explicit SwitchedExporter(std::shared_ptr<Receiver> receiver) : receiver_(std::move(receiver)) {}
  const char* name() const override { return "otlp"; }
  ExportOutcome Export(std::span<const Span> batch, steady_clock::time_point) override {
    if (!receiver_->up) return {.code = Code::kRetry, .message = "away"};
    const std::lock_guard lock(receiver_->mutex);
    for (const Span& span : batch) receiver_->names.push_back(span.name);
    return {};
  }

 private:
  std::shared_ptr<Receiver> receiver_;
};

class SpoolTest : public testing::Test {
 protected:
  void Start() {
    metrics_ = std::make_unique<MetricRegistry>();
    sent_before_ = sent_;
    std::vector<std::unique_ptr<SpanExporter>> exporters;
    exporters.push_back(std::make_unique<SwitchedExporter>(receiver_));
    auto destinations = Labelled(std::move(exporters));
    auto spool = Spool::Open(directory_.path() + "/otlp", queue_, "otlp", *metrics_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    destinations[0].spool = *std::move(spool);
    set_ = std::make_unique<ExporterSet>(std::move(destinations), batch_, *metrics_, retry_);
  }
  void Send(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Span span = ServerSpan(++sent_, resource_);
      span.name = std::to_string(sent_);
      set_->OnSpan(std::move(span));
      if (pause_every_ == 0 || sent_ % pause_every_ != 0) continue;
      std::this_thread::sleep_for(1ms);
      // A slow machine is not to fill the half of the memory that is for what is new.
      if (waits_for_disk_) WaitUntilStored(static_cast<double>(sent_ - sent_before_) - 30);
    }
  }
  double Metric(const std::string& name, const std::string& value = "otlp") {
    double sum = 0;
    for (const MetricFamily& family : metrics_->Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        for (const auto& [key, label] : sample.labels) sum += label == value ? sample.value : 0;
      }
    }
    return sum;
  }
  bool WaitUntilStored(double spans) {
    const auto deadline = In(10s);
    while (Metric("sonde_export_queue_stored_spans_total") < spans) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }
  void ExpectAccounted(size_t sent) {
    EXPECT_EQ(static_cast<double>(sent) + Metric("sonde_export_queue_recovered_spans_total"),
              Metric("sonde_export_spans_total", "exported") + Metric("sonde_spans_dropped_total") +
                  Metric("sonde_export_queue_length"));
  }
  std::vector<std::string> Names() {
    const std::lock_guard lock(receiver_->mutex);
    return receiver_->names;
  }
  std::vector<std::string> NamesUpTo(size_t count) const {
    std::vector<std::string> names;
    for (size_t i = 1; i <= count; ++i) names.push_back(std::to_string(i));
    return names;
  }

  TemporaryDirectory directory_;
  QueueOptions queue_{.directory = "", .max_bytes = 16U << 20, .max_age = 1h};
  BatchOptions batch_{.max_queue_size = 100, .max_export_batch_size = 10, .schedule_delay = 50ms};
  RetryOptions retry_{.initial = 5ms, .max = 20ms, .max_elapsed = 50ms};
  std::unique_ptr<MetricRegistry> metrics_;
  std::shared_ptr<Receiver> receiver_ = std::make_shared<Receiver>();
  std::shared_ptr<const Resource> resource_ = MakeResource("shop");
  std::unique_ptr<ExporterSet> set_;
  size_t sent_ = 0;
  size_t sent_before_ = 0;  // the processor that runs now
  size_t pause_every_ = 10;
  bool waits_for_disk_ = true;
};

TEST_F(SpoolTest, OutlastsAnOutageFarBeyondMemoryAndRetries) {
  receiver_->up = false;
  Start();
  Send(3000);  // thirty times what memory may hold, for longer than max_elapsed
  ASSERT_TRUE(WaitUntilStored(3000));
  EXPECT_EQ(Metric("sonde_export_queue_length"), 3000);
  EXPECT_GT(Metric("sonde_export_queue_bytes"), 100'000);
  EXPECT_EQ(Metric("sonde_spans_dropped_total"), 0);
  receiver_->up = true;
  EXPECT_TRUE(set_->ForceFlush(In(20s)));
  EXPECT_EQ(Names(), NamesUpTo(3000));
  EXPECT_EQ(set_->Shutdown(In(1s)), 0U);
  ExpectAccounted(3000);
}

TEST_F(SpoolTest, WhatAStopLeavesIsSentFirstByTheNextStart) {
  receiver_->up = false;
  Start();
  Send(500);
  EXPECT_EQ(set_->Shutdown(In(3s)), 0U) << "nothing is dropped";
  EXPECT_EQ(Metric("sonde_export_queue_length"), 500);
  ExpectAccounted(500);
  set_.reset();
  receiver_->up = true;
  Start();
  Send(100);
  EXPECT_TRUE(set_->ForceFlush(In(10s)));
  EXPECT_EQ(Names(), NamesUpTo(600)) << "once each, the old ones first";
  EXPECT_EQ(Metric("sonde_export_queue_recovered_spans_total"), 500);
  set_->Shutdown(In(1s));
  ExpectAccounted(100);
}

TEST_F(SpoolTest, TheReceiverGetsEverythingThatASpanHolds) {
  const std::vector<Span> batch{HardSpan(1, resource_), ServerSpan(2, nullptr),
                                ServerSpan(3, MakeResource("cart"))};
  ProtobufEncoder first;
  ProtobufEncoder second;
  const auto decoded = DecodeProtobuf(first.Encode(batch));
  ASSERT_NE(decoded, nullptr);
  EXPECT_EQ(decoded->front().resource->service_name, "shop");
  EXPECT_EQ(second.Encode(*decoded), first.Encode(batch));
  EXPECT_EQ(DecodeProtobuf("\xff\xff\xff"), nullptr);
}

TEST_F(SpoolTest, BatchesThatWaitedTooLongAreDroppedAndCounted) {
  receiver_->up = false;
  queue_.max_age = 200ms;
  Start();
  Send(50);
  const auto deadline = In(5s);
  while (Metric("sonde_spans_dropped_total", "retry_expired") < 50 &&
         steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "retry_expired"), 50);
  set_->Shutdown(In(1s));
  ExpectAccounted(50);
}

TEST_F(SpoolTest, ATooOldQueueOfAnEarlierProcessIsDroppedAndCounted) {
  receiver_->up = false;
  Start();
  Send(50);
  set_->Shutdown(In(2s));
  set_.reset();
  receiver_->up = true;
  queue_.max_age = 1ms;
  Start();
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "retry_expired"), 50);
  EXPECT_TRUE(Names().empty());
  set_->Shutdown(In(1s));
  ExpectAccounted(0);
}

TEST_F(SpoolTest, AFullQueueFallsBackToMemoryAndThenDrops) {
  waits_for_disk_ = false;
  receiver_->up = false;
  queue_.max_bytes = 128U << 10;
  Start();
  Send(1000);
  const auto dropped = Metric("sonde_spans_dropped_total", "queue_full");
  EXPECT_GT(dropped, 0);
  EXPECT_GT(Metric("sonde_export_queue_errors_total", "write"), 0);
  EXPECT_LE(Metric("sonde_export_queue_bytes"), 128U << 10);
  receiver_->up = true;
  EXPECT_TRUE(set_->ForceFlush(In(10s)));
  EXPECT_EQ(static_cast<double>(Names().size()), 1000 - dropped);
  const size_t before = Names().size();
  Send(20);
  EXPECT_TRUE(set_->ForceFlush(In(10s)));
  EXPECT_EQ(Names().size(), before + 20);
  EXPECT_EQ(set_->Shutdown(In(1s)), 0U);
  ExpectAccounted(1020);
}

// As on a full disk: write() takes a part and then fails.
TEST_F(SpoolTest, AFullDiskIsCountedAndWhatWasStoredIsWhole) {
  waits_for_disk_ = false;
  receiver_->up = false;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{20'000, before.rlim_max};
  Start();
  setrlimit(RLIMIT_FSIZE, &small);
  Send(60);
  std::this_thread::sleep_for(100ms);
  setrlimit(RLIMIT_FSIZE, &before);
  const double stored = Metric("sonde_export_queue_stored_spans_total");
  EXPECT_GT(stored, 0);
  EXPECT_LT(stored, 60);
  EXPECT_GT(Metric("sonde_export_queue_errors_total", "write"), 0);
  Send(10);  // there is room again
  ASSERT_TRUE(WaitUntilStored(stored + 10));
  EXPECT_EQ(set_->Shutdown(In(1s)), static_cast<size_t>(60 - stored)) << "those were in memory";
  ExpectAccounted(70);
  set_.reset();
  receiver_->up = true;
  Start();
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(static_cast<double>(Names().size()), stored + 10);
  EXPECT_EQ(Metric("sonde_export_queue_torn_bytes_total"), 0);
}

TEST_F(SpoolTest, ABatchThatRottedOnDiskIsDroppedAndCountedAndTheOthersArrive) {
  receiver_->up = false;
  Start();
  Send(50);
  set_->Shutdown(In(2s));
  set_.reset();
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path() + "/otlp")) {
    file = entry.path();
  }
  std::FILE* const handle = std::fopen(file.c_str(), "r+");
  std::fseek(handle, 100, SEEK_SET);
  std::fputc('~', handle);
  std::fclose(handle);
  receiver_->up = true;
  Start();
  EXPECT_TRUE(set_->ForceFlush(In(5s)));
  EXPECT_EQ(Metric("sonde_spans_dropped_total", "queue_unreadable"), 10);
  EXPECT_EQ(Metric("sonde_export_queue_errors_total", "read"), 1);
  EXPECT_EQ(Names().size(), 40U);
  set_->Shutdown(In(1s));
  ExpectAccounted(0);
}

// The child is killed at some moment while spans come; whatever it had counted as stored by then
// arrives after the restart, and all of it in one piece.
TEST_F(SpoolTest, KillNineUnderLoadLosesNothingThatWasAccepted) {
  for (const int life_ms : {5, 20, 60, 120}) {
    std::array<int, 2> pipe_fds{};
    ASSERT_EQ(pipe(pipe_fds.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
      receiver_->up = false;
      Start();
      while (true) {
        Send(10);
        const auto stored = static_cast<uint64_t>(Metric("sonde_export_queue_stored_spans_total"));
        if (write(pipe_fds[1], &stored, sizeof(stored)) < 0) _exit(1);
      }
    }
    close(pipe_fds[1]);
    uint64_t stored = 0;
    ASSERT_EQ(read(pipe_fds[0], &stored, sizeof(stored)), ssize_t{sizeof(stored)});
    std::this_thread::sleep_for(std::chrono::milliseconds(life_ms));
    kill(child, SIGKILL);
    uint64_t next = 0;
    while (read(pipe_fds[0], &next, sizeof(next)) == ssize_t{sizeof(next)}) stored = next;
    waitpid(child, nullptr, 0);
    close(pipe_fds[0]);

    receiver_->up = true;
    receiver_->names.clear();
    Start();
    EXPECT_TRUE(set_->ForceFlush(In(20s)));
    const auto names = Names();
    EXPECT_GE(names.size(), stored);
    EXPECT_EQ(names, NamesUpTo(names.size())) << "none is missing in between, none comes twice";
    set_->Shutdown(In(1s));
    set_.reset();
  }
}

TEST_F(SpoolTest, TheDrainThreadNeverWaitsForTheDisk) {
  receiver_->up = false;
  pause_every_ = 0;
  Start();
  const auto start = steady_clock::now();
  Send(20'000);  // far faster than a disk
  EXPECT_LT(steady_clock::now() - start, 2s);
  set_->Shutdown(In(2s));
  ExpectAccounted(20'000);
}

}  // namespace
}  // namespace sonde::exporter
