// SPDX-License-Identifier: Apache-2.0
// Which families are loaded, and how sonde lives without some of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/kernel.h"
#include "kernel/recording_reader.h"
#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

class FamiliesTest : public FamilyTest {
 protected:
  static std::string StateOf(const kernel::Kernel& kernel, std::string_view family) {
    for (const kernel::FamilyState& state : kernel.families()) {
      if (state.name == family) return std::string(state.state);
    }
    return "unknown";
  }
  static auto Create(std::vector<std::string> probes, std::vector<std::string> no_probes,
                     MetricRegistry& metrics) {
    CaptureOptions capture;
    capture.probes = std::move(probes);
    capture.no_probes = std::move(no_probes);
    return kernel::Kernel::Create(capture, {}, metrics);
  }
};

TEST_P(FamiliesTest, OneSocketFamilyWorks) {
  const std::string other = family_ == "sys_exit" ? "sock_length" : "sys_exit";
  EXPECT_EQ(StateOf(lab_->kernel(), family_), "works");
  EXPECT_EQ(StateOf(lab_->kernel(), other), "off");
  EXPECT_EQ(StateOf(lab_->kernel(), "process"), "works");
  EXPECT_EQ(StateOf(lab_->kernel(), "tcp_state"), "works");
}

TEST_P(FamiliesTest, OtherFamilySwitchedOff) {
  const std::string other = family_ == "sys_exit" ? "sock-length" : "sys-exit";
  MetricRegistry metrics;
  const auto kernel = Create({}, {other}, metrics);
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  EXPECT_EQ(StateOf(**kernel, family_), "works");
}

TEST_P(FamiliesTest, WithoutItAndItsSiblingThereIsNothing) {
  MetricRegistry metrics;
  const auto none = Create({}, {"sock_length", "sys_exit"}, metrics);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto process = Create({family_}, {"process"}, metrics);
  EXPECT_EQ(process.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto unknown = Create({family_, "sock_lenght"}, {}, metrics);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
}

// Degraded: closing is not reported, requests still are.
TEST_P(FamiliesTest, WithoutConnectionStates) {
  MetricRegistry metrics;
  const auto lab = OwnLab({.ports = {}, .probes = {}, .no_probes = {"tcp_state"}});
  ASSERT_NE(lab, nullptr);
  EXPECT_EQ(StateOf(lab->kernel(), "tcp_state"), "off");
  const Log log = lab->Run([&] {
    const Pair pair = Connect(Kind::kTcp4);
    Must(SendAll(pair.near.get(), Request("degraded")));
  });
  EXPECT_EQ(log.data.size(), 1U);
  EXPECT_TRUE(log.shutdowns.empty());
}

// Attached or not: with the object gone, so are the programs.
TEST_P(FamiliesTest, NothingStaysBehind) {
  const Pair pair = Connect(Kind::kTcp4);
  Log log;
  auto own = OwnLab({});
  ASSERT_NE(own, nullptr);
  // Before the fork: a child shares the descriptors that hold the programs.
  own->kernel().Detach();
  Lab::Child child(*own, [&] { Must(SendAll(pair.near.get(), Request("detached"))); });
  child.Release();
  EXPECT_EQ(child.Wait(), 0);
  own->Drain(log);
  EXPECT_TRUE(log.data.empty());
  EXPECT_TRUE(log.processes.empty());
}

// What a recording holds is what was seen.
TEST_P(FamiliesTest, RecordingReplaysTheSame) {
  const std::string file = testing::TempDir() + "/sonde-kernel-test-" + family_ + ".rec";
  kernel::KernelOptions options;
  options.record_file = file;
  auto own = OwnLab({}, options);
  ASSERT_NE(own, nullptr);
  const Pair pair = Connect(Kind::kTcp6);
  const Log log = own->Run([&] {
    for (int i = 0; i < 20; ++i) {
      Must(SendAll(pair.near.get(), Request("record", 3000)));
      Must(ReceiveExactly(pair.far.get(), 3000).size() == 3000);
    }
  });
  const ConnectionId id = own->Id(pair.near.get());
  own.reset();  // the recording is written when its file is closed
  const auto reader = kernel::RecordingReader::Open(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->torn_bytes(), 0U);
  Log replayed;
  EXPECT_EQ(reader->Replay(replayed), 0U);
  ASSERT_EQ(replayed.data.size(), log.data.size());
  EXPECT_EQ(replayed.opens.size(), log.opens.size());
  EXPECT_EQ(replayed.processes.size(), log.processes.size());
  for (size_t i = 0; i < log.data.size(); ++i) {
    EXPECT_EQ(replayed.data[i].prefix, log.data[i].prefix);
    EXPECT_EQ(replayed.data[i].event.position, log.data[i].event.position);
  }
  std::string stream;
  for (int i = 0; i < 20; ++i) stream += Request("record", 3000);
  ExpectStream(replayed, id, Direction::kSend, stream);
}

SONDE_FOR_EACH_FAMILY(FamiliesTest);

}  // namespace
}  // namespace sonde::kernel_test
