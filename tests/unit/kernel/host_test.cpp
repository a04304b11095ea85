// SPDX-License-Identifier: Apache-2.0
// What a host lacks, from a tree that stands in for / ; and names of families.
#include "kernel/host.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "kernel/event_counters.h"
#include "kernel/family_choice.h"
#include "kernel/host_facts.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "unit/kernel/record_samples.h"

namespace sonde::kernel_unit {
namespace {

namespace fs = std::filesystem;
using FactValues = std::vector<std::pair<std::string, std::string>>;

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
  FactValues Facts() {
    FactValues values;
    for (const kernel::HostFact& fact : kernel::ReadHostFacts(root_.string()))
      values.emplace_back(fact.name, fact.value);
    return values;
  }

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

TEST_F(HostTest, AnotherPidNamespace) {
  fs::create_directories(root_ / "proc/self/ns");
  fs::create_symlink("pid:[4026531836]", root_ / "proc/self/ns/pid");
  EXPECT_TRUE(kernel::CheckHost(Read()).ok());
  fs::remove(root_ / "proc/self/ns/pid");
  fs::create_symlink("pid:[4026532291]", root_ / "proc/self/ns/pid");
  const Status status = kernel::CheckHost(Read());
  EXPECT_NE(status.message().find("hostPID: true"), std::string::npos) << status;
}

TEST_F(HostTest, FactsOfAnOrdinaryHost) {
  Put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  Put("proc/sys/kernel/perf_event_paranoid", "3\n");
  Put("proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
  EXPECT_EQ(Facts(), (FactValues{{"cgroups", "v2"},
                                 {"seccomp", "none"},
                                 {"perf_event_paranoid", "3"},
                                 {"unprivileged_bpf_disabled", "2"}}));
}

TEST_F(HostTest, FactsOfOtherHosts) {
  Put("proc/self/status", "Name:\tx\nSeccomp:\t2\n");
  Put("proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n");
  Put("sys/fs/cgroup/unified/cgroup.controllers", "cpu\n");
  Put("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
      std::string("\6\0\0\0\1", 5));
  EXPECT_EQ(Facts(), (FactValues{{"cgroups", "v1 and v2"},
                                 {"seccomp", "filter"},
                                 {"secure_boot", "on"},
                                 {"platform", "WSL2"}}));
  fs::remove_all(root_ / "sys/fs/cgroup/unified");
  fs::create_directories(root_ / "sys/fs/cgroup/memory");
  Put("proc/sys/kernel/osrelease", "6.12.40\n");
  Put("etc/os-release", "NAME=Bottlerocket\nID=bottlerocket\n");
  EXPECT_EQ(Facts(), (FactValues{{"cgroups", "v1"},
                                 {"seccomp", "filter"},
                                 {"secure_boot", "on"},
                                 {"platform", "Bottlerocket"}}));
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

TEST_F(HostTest, TellsFunctionsOfTheKernelFromItsTypes) {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "the kernel has no BTF";
  EXPECT_TRUE(sonde::kernel::HasFunction("tcp_sendmsg"));
  EXPECT_FALSE(sonde::kernel::HasFunction("sock_common"));
  EXPECT_FALSE(sonde::kernel::HasFunction("no_such_function"));
  EXPECT_TRUE(sonde::kernel::HasTracepoint("sys_exit"));
}

}  // namespace
}  // namespace sonde::kernel_unit
