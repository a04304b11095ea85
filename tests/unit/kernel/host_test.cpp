// SPDX-License-Identifier: Apache-2.0
// What a host lacks, from a tree that stands in for / ; and names of families.
#include "kernel/host.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernel/event_counters.h"
#include "kernel/family_choice.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "unit/kernel/record_samples.h"

namespace sonde::kernel_unit {
namespace {

namespace fs = std::filesystem;

class HostTest : public testing::Test {
 protected:
  HostTest() {
    fs::remove_all(root_);
    Put("proc/sys/kernel/osrelease", "6.18.0-test\n");
    Put("sys/kernel/btf/vmlinux", "btf");
    Capabilities("000001ffffffffff");
  }
  ~HostTest() override { fs::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void Capabilities(const std::string& hex) {
    Put("proc/self/status", "Name:\tx\nCapEff:\t" + hex + "\nSeccomp:\t0\n");
  }
  kernel::Host Read() { return kernel::ReadHost(root_.string()); }

  // ctest runs the cases as processes, side by side.
  const fs::path root_ =
      fs::path(testing::TempDir()) / ("sonde-host-test-" + std::to_string(getpid()));
};

TEST_F(HostTest, NothingMissing) {
  const kernel::Host host = Read();
  EXPECT_EQ(host.kernel_release, "6.18.0-test");
  EXPECT_TRUE(host.btf);
  EXPECT_TRUE(host.missing.empty());
  EXPECT_TRUE(kernel::CheckHost(host).ok());
}

TEST_F(HostTest, WithoutBtf) {
  fs::remove(root_ / "sys/kernel/btf/vmlinux");
  const Status status = kernel::CheckHost(Read());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("CONFIG_DEBUG_INFO_BTF"), std::string::npos);
}

TEST_F(HostTest, Lockdown) {
  Put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  EXPECT_TRUE(kernel::CheckHost(Read()).ok());
  Put("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
  EXPECT_FALSE(kernel::CheckHost(Read()).ok());
}

// One line for each missing thing, with its remedy.
TEST_F(HostTest, WithoutCapabilities) {
  Capabilities("0000000000000000");
  const Status status = kernel::CheckHost(Read());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  for (const char* name : {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"}) {
    EXPECT_NE(status.message().find(name), std::string::npos) << name;
  }
  EXPECT_EQ(std::ranges::count(status.message(), '\n'), 2);
}

TEST_F(HostTest, CapabilitiesThatAreEnough) {
  Capabilities("000000c000080000");  // BPF, PERFMON, SYS_PTRACE
  EXPECT_TRUE(kernel::CheckHost(Read()).ok());
  Capabilities("0000000000280000");  // SYS_ADMIN, SYS_PTRACE
  EXPECT_TRUE(kernel::CheckHost(Read()).ok());
  Capabilities("0000008000080000");  // no PERFMON
  EXPECT_FALSE(kernel::CheckHost(Read()).ok());
}

TEST(FamilyNamesTest, KnownAndUnknown) {
  CaptureOptions capture;
  capture.probes = {"sock_length", "sys-exit"};
  capture.no_probes = {"tcp-state"};
  EXPECT_TRUE(kernel::CheckFamilyNames(capture).ok());
  capture.no_probes = {"sock_lenght"};
  const Status status = kernel::CheckFamilyNames(capture);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sock_length"), std::string::npos);  // what there is
}

TEST(EventCountersTest, ByTypeAndByFault) {
  MetricRegistry metrics;
  kernel::EventCounters counters(metrics);
  Notes notes;
  for (const std::string& record : EveryRecord())
    counters.Count(record, kernel::Decode(record, notes));
  counters.Count("short", kernel::DecodeOutcome::kInvalid);
  const std::string unknown = BytesOf(MakeRecord<sonde_data_record>(999));
  counters.Count(unknown, kernel::Decode(unknown, notes));
  double data = 0;
  double faults = 0;
  double all = 0;
  for (const MetricFamily& family : metrics.Snapshot()) {
    for (const MetricSample& sample : family.samples) {
      if (family.name == "sonde_events_dropped_total") faults += sample.value;
      if (family.name != "sonde_events_total") continue;
      all += sample.value;
      if (sample.labels == MetricLabels{{"type", "data"}}) data = sample.value;
    }
  }
  EXPECT_EQ(data, 3);
  EXPECT_EQ(all, static_cast<double>(EveryRecord().size()));
  EXPECT_EQ(faults, 2);
}

TEST_F(HostTest, ComparesReleasesByNumber) {
  EXPECT_TRUE(sonde::kernel::IsOlder("5.10.0-46-cloud-amd64", "5.12"));
  EXPECT_TRUE(sonde::kernel::IsOlder("6.1.0", "6.10"));
  EXPECT_TRUE(sonde::kernel::IsOlder("5.15", "6.3"));
  EXPECT_FALSE(sonde::kernel::IsOlder("6.12.107+deb13-amd64", "6.3"));
  EXPECT_FALSE(sonde::kernel::IsOlder("6.3", "6.3"));
  EXPECT_FALSE(sonde::kernel::IsOlder("7", "6.18"));
  EXPECT_TRUE(sonde::kernel::IsOlder("", "5.12"));
}

}  // namespace
}  // namespace sonde::kernel_unit
