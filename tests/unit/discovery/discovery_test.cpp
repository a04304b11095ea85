// SPDX-License-Identifier: Apache-2.0
#include "discovery/discovery.h"

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/trace_control.h"
#include "support/fake_workloads.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::discovery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FakeControl final : public TraceControl {
 public:
  Status Trace(uint32_t tgid) override {
    if (full) return absl::ResourceExhaustedError("full");
    traced.insert(tgid);
    return absl::OkStatus();
  }
  void Untrace(uint32_t tgid) override { traced.erase(tgid); }

  std::set<uint32_t> traced;
  bool full = false;
};

class DiscoveryTest : public testing::Test {
 protected:
  void Start(std::vector<Selector> include, std::vector<Selector> exclude = {}) {
    auto made = Discovery::Create({.include = std::move(include), .exclude = std::move(exclude)},
                                  control_, proc_.reader(&workloads_), metrics_);
    ASSERT_TRUE(made.ok()) << made.status();
    discovery_ = std::move(*made);
    summary_ = discovery_->Scan();
  }

  // A tick after the last pause.
  void Tick() {
    discovery_->OnWorkloads(workloads_.TakeChanged());
    now_ns_ += Discovery::kWorkloadPauseNs;
    discovery_->OnTick(now_ns_);
  }

  // The kernel's view of the flag goes with the event.
  bool Send(ProcessChange change, uint32_t tgid, uint32_t parent = 0, uint64_t ticks = 100,
            uint16_t port = 0) {
    if (change == ProcessChange::kFork && control_.traced.contains(parent)) {
      control_.traced.insert(tgid);
    }
    ProcessEvent event;
    event.change = change;
    event.tgid = tgid;
    event.parent_tgid = parent;
    event.start_ns = ticks * 10'000'000 + 1234;
    event.listen_port = port;
    event.traced = control_.traced.contains(tgid);
    if (change == ProcessChange::kExit) control_.traced.erase(tgid);
    return discovery_->OnProcess(event);
  }

  double Metric(const std::string& name, const std::string& label) const {
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != name) continue;
      for (const MetricSample& sample : family.samples) {
        if (!sample.labels.empty() && sample.labels[0].second == label) return sample.value;
      }
    }
    return -1;
  }

  FakeProc proc_;
  FakeWorkloads workloads_;
  FakeControl control_;
  MetricRegistry metrics_;
  std::unique_ptr<Discovery> discovery_;
  ScanSummary summary_;
  uint64_t now_ns_ = 0;
};

TEST_F(DiscoveryTest, ScanTakesTheSelectedAndTheirDescendants) {
  proc_.Add({.pid = 10, .parent = 1, .exe = "/usr/sbin/nginx"});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/usr/sbin/worker"});
  proc_.Add({.pid = 12, .parent = 11, .exe = "/usr/bin/curl"});
  proc_.Add({.pid = 13, .parent = 12, .exe = "/usr/bin/helper"});
  proc_.Add({.pid = 20, .parent = 1, .exe = "/usr/bin/other"});
  proc_.Add({.pid = 2, .parent = 0, .exe = "", .flags = 0x200000, .comm = "kthreadd"});
  Start({{SelectorKind::kPid, "10"}, {SelectorKind::kPid, "77"}}, {{SelectorKind::kExe, "*/curl"}});
  EXPECT_THAT(control_.traced, ElementsAre(10, 11));  // 13 hangs below an excluded one
  EXPECT_THAT(summary_.missing_pids, ElementsAre(77));
  EXPECT_EQ(summary_.traced, 2U);
  EXPECT_EQ(summary_.seen, 5U);
  EXPECT_EQ(discovery_->RuleOf(10), "--pid 10");
  EXPECT_EQ(discovery_->RuleOf(11), "inherited from 10");
  EXPECT_EQ(discovery_->RuleOf(20), "");
  EXPECT_EQ(Metric("sonde_processes", "selected"), 1);
  EXPECT_EQ(Metric("sonde_processes", "inherited"), 1);
  EXPECT_FALSE(discovery_->needs_exec_events());
  EXPECT_FALSE(discovery_->needs_listen_events());
}

TEST_F(DiscoveryTest, AllLeavesOutKernelThreadsAndSondeItself) {
  proc_.Add({.pid = static_cast<uint32_t>(getpid()), .exe = "/usr/bin/sonde"});
  proc_.Add({.pid = 2, .parent = 0, .exe = "", .flags = 0x200000, .comm = "kthreadd"});
  proc_.Add({.pid = 30, .exe = "/usr/bin/x"});
  Start({{SelectorKind::kAll, ""}});
  EXPECT_THAT(control_.traced, ElementsAre(30));
  EXPECT_FALSE(Send(ProcessChange::kExec, static_cast<uint32_t>(getpid())));
  EXPECT_TRUE(discovery_->needs_exec_events());
}

TEST_F(DiscoveryTest, ContainersAreDecidedWhenTheirRuntimeAnswers) {
  const auto cgroup = FakeWorkloads::Cgroup;
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = cgroup('a')});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/worker", .cgroup = cgroup('a')});
  proc_.Add({.pid = 20, .exe = "/server", .cgroup = cgroup('b')});
  proc_.Add({.pid = 30, .exe = "/server"});
  Start({{SelectorKind::kContainerLabel, "team=shop"}});
  EXPECT_THAT(control_.traced, IsEmpty());
  workloads_.Know(FakeWorkloads::Id('a'), "web", {{"team", "shop"}});
  workloads_.Know(FakeWorkloads::Id('b'), "other", {{"team", "shops"}});
  Tick();
  EXPECT_THAT(control_.traced, ElementsAre(10, 11));
  EXPECT_EQ(discovery_->RuleOf(10), "--container-label team=shop");
  // What is known when a process starts needs no waiting.
  proc_.Add({.pid = 12, .exe = "/bin/sh", .cgroup = cgroup('a')});
  EXPECT_TRUE(Send(ProcessChange::kExec, 12));
  // Executed before the answer, and its child was not marked at its fork.
  proc_.Add({.pid = 40, .exe = "/server", .cgroup = cgroup('c')});
  proc_.Add({.pid = 41, .parent = 40, .exe = "/server"});
  EXPECT_FALSE(Send(ProcessChange::kExec, 40));
  workloads_.Know(FakeWorkloads::Id('c'), "late", {{"team", "shop"}});
  Tick();
  EXPECT_THAT(control_.traced, ElementsAre(10, 11, 12, 40, 41));
}

TEST_F(DiscoveryTest, AContainerThatNoLongerMatchesIsReleased) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/worker"});  // left its container's group
  proc_.Add({.pid = 12, .parent = 11, .exe = "/worker"});
  workloads_.Know(FakeWorkloads::Id('a'), "shop-1");
  Start({{SelectorKind::kContainer, "shop-*"}});
  EXPECT_THAT(control_.traced, ElementsAre(10, 11, 12));
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  Tick();
  EXPECT_THAT(control_.traced, IsEmpty());
  EXPECT_EQ(discovery_->traced(), 0U);
}

// Another container's news says nothing of who was chosen by other means.
TEST_F(DiscoveryTest, NewsOfAContainerReleaseNobodyElse) {
  proc_.Add({.pid = 10, .exe = "/server"});
  Start({{SelectorKind::kExe, "/server"}}, {{SelectorKind::kContainer, "x"}});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/child"});
  Send(ProcessChange::kFork, 11, 10);
  proc_.Add({.pid = 10, .exe = "/elsewhere"});  // an exec that is still in the ring
  proc_.Add({.pid = 20, .exe = "/x", .cgroup = FakeWorkloads::Cgroup('a')});
  workloads_.Know(FakeWorkloads::Id('a'), "x");
  Tick();
  EXPECT_THAT(control_.traced, ElementsAre(10, 11));
}

TEST_F(DiscoveryTest, WhatMayBeExcludedWaits) {
  for (const char digit : {'a', 'b', 'c'}) {
    proc_.Add({.pid = static_cast<uint32_t>(digit), .cgroup = FakeWorkloads::Cgroup(digit)});
  }
  Start({{SelectorKind::kAll, ""}}, {{SelectorKind::kContainerLabel, "secret"}});
  EXPECT_THAT(control_.traced, IsEmpty());
  workloads_.Know(FakeWorkloads::Id('a'), "bank", {{"secret", ""}});
  workloads_.Know(FakeWorkloads::Id('b'), "web");
  workloads_.GiveUp(FakeWorkloads::Id('c'));
  Tick();
  EXPECT_THAT(control_.traced, ElementsAre('b', 'c'));
}

TEST_F(DiscoveryTest, UnitsAreKnownAtOnce) {
  proc_.Add({.pid = 10, .exe = "/x", .cgroup = "0::/system.slice/nginx.service\n"});
  proc_.Add({.pid = 11, .exe = "/x", .cgroup = "0::/system.slice/nginx-debug.service\n"});
  Start({{SelectorKind::kSystemdUnit, "nginx"}});
  EXPECT_THAT(control_.traced, ElementsAre(10));
  EXPECT_EQ(discovery_->RuleOf(10), "--systemd-unit nginx");
}

TEST_F(DiscoveryTest, ExecIsDecidedAnew) {
  Start({{SelectorKind::kExe, "*/nginx"}});
  EXPECT_THAT(control_.traced, IsEmpty());
  proc_.Add({.pid = 50, .exe = "/usr/sbin/nginx"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 50));
  EXPECT_THAT(control_.traced, ElementsAre(50));
  EXPECT_TRUE(Send(ProcessChange::kFork, 51, 50));
  EXPECT_EQ(discovery_->RuleOf(51), "inherited from 50");
  proc_.Add({.pid = 50, .exe = "/bin/sh"});
  EXPECT_FALSE(Send(ProcessChange::kExec, 50));
  EXPECT_THAT(control_.traced, ElementsAre(51));
  proc_.Add({.pid = 51, .parent = 50, .exe = "/bin/sh"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 51));  // inherited stays
  EXPECT_FALSE(Send(ProcessChange::kExit, 51));
  EXPECT_EQ(discovery_->traced(), 0U);
  EXPECT_EQ(Metric("sonde_processes", "inherited"), 0);
  EXPECT_EQ(Metric("sonde_processes", "selected"), 0);
}

TEST_F(DiscoveryTest, ARuleThatStillMatchesKeepsTheProcess) {
  proc_.Add({.pid = 50, .exe = "/opt/a/server"});
  Start({{SelectorKind::kExe, "/opt/*"}});
  proc_.Add({.pid = 50, .exe = "/opt/b/server"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 50));
  EXPECT_EQ(discovery_->RuleOf(50), "--exe /opt/*");
  EXPECT_EQ(Metric("sonde_processes", "selected"), 1);
}

TEST_F(DiscoveryTest, PidAndLaunchedStayWhateverTheyExecute) {
  proc_.Add({.pid = 60, .exe = "/bin/a"});
  Start({{SelectorKind::kPid, "60"}}, {{SelectorKind::kExe, "*/forbidden"}});
  proc_.Add({.pid = 60, .exe = "/bin/b"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 60));
  proc_.Add({.pid = 61, .exe = "/usr/bin/sonde"});
  ASSERT_TRUE(discovery_->Launch(61).ok());
  proc_.Add({.pid = 61, .exe = "/bin/sh"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 61));
  EXPECT_EQ(discovery_->RuleOf(61), "launched");
  EXPECT_EQ(Metric("sonde_processes", "launched"), 1);
  proc_.Add({.pid = 61, .exe = "/bin/forbidden"});
  EXPECT_FALSE(Send(ProcessChange::kExec, 61));
  EXPECT_THAT(control_.traced, ElementsAre(60));
  EXPECT_EQ(Metric("sonde_processes", "launched"), 0);
}

TEST_F(DiscoveryTest, LaunchAloneWatchesNobodyElse) {
  proc_.Add({.pid = 61, .exe = "/bin/sh"});
  proc_.Add({.pid = 62, .exe = "/bin/sh"});
  Start({});
  ASSERT_TRUE(discovery_->Launch(61).ok());
  EXPECT_FALSE(discovery_->needs_exec_events());
  EXPECT_THAT(control_.traced, ElementsAre(61));
  EXPECT_TRUE(Send(ProcessChange::kFork, 63, 61));
  EXPECT_TRUE(Send(ProcessChange::kExec, 63, 61));  // /proc is gone already: stays
}

TEST_F(DiscoveryTest, ListeningIsDecidedAtOnce) {
  proc_.Add({.pid = 70, .exe = "/bin/server"});
  proc_.Add({.pid = 71, .parent = 70, .exe = "/bin/server"});
  Start({{SelectorKind::kPort, "8080"}, {SelectorKind::kExe, "*/server"}});
  EXPECT_TRUE(discovery_->needs_listen_events());
  EXPECT_THAT(control_.traced, IsEmpty());
  EXPECT_FALSE(Send(ProcessChange::kListen, 70, 1, 100, 9090));
  proc_.Add({.pid = 70,
             .exe = "/bin/server",
             .socket_inodes = {5},
             .tcp = FakeProc::TcpLine("1F90", "0A", 5)});
  EXPECT_TRUE(Send(ProcessChange::kListen, 70, 1, 100, 8080));
  EXPECT_THAT(control_.traced, ElementsAre(70, 71));
  EXPECT_EQ(discovery_->RuleOf(70), "--port 8080 --exe */server");
}

TEST_F(DiscoveryTest, AListenerThatClosedAgainIsStillTheOneThatWasMeant) {
  proc_.Add({.pid = 70, .exe = "/bin/server"});
  Start({{SelectorKind::kPort, "8080"}});
  EXPECT_TRUE(Send(ProcessChange::kListen, 70, 1, 100, 8080));
  EXPECT_THAT(control_.traced, ElementsAre(70));
}

TEST_F(DiscoveryTest, AServiceThatGetsItsSocketFromInitIsChosenAtItsExec) {
  const std::string line = FakeProc::TcpLine("1F90", "0A", 5);
  proc_.Add({.pid = 1, .parent = 0, .exe = "/sbin/init", .socket_inodes = {5}, .tcp = line});
  Start({{SelectorKind::kPort, "8080"}});
  EXPECT_THAT(control_.traced, IsEmpty());
  proc_.Add({.pid = 80, .exe = "/bin/service", .socket_inodes = {5}, .tcp = line});
  EXPECT_TRUE(Send(ProcessChange::kExec, 80));
}

TEST_F(DiscoveryTest, AReusedNumberIsAnotherProcess) {
  proc_.Add({.pid = 90, .exe = "/bin/server", .start_ticks = 100});
  Start({{SelectorKind::kPid, "90"}});
  control_.traced.clear();  // the kernel forgot it at its exit, whose record was lost
  proc_.Add({.pid = 90, .exe = "/bin/other", .start_ticks = 500});
  EXPECT_FALSE(Send(ProcessChange::kListen, 90, 1, 500, 80));
  EXPECT_EQ(discovery_->RuleOf(90), "");
}

TEST_F(DiscoveryTest, AnOldExitDoesNotForgetTheNewProcess) {
  proc_.Add({.pid = 90, .exe = "/bin/server", .start_ticks = 500});
  Start({{SelectorKind::kExe, "*/server"}});
  EXPECT_TRUE(Send(ProcessChange::kExit, 90, 1, 100));
  EXPECT_EQ(discovery_->RuleOf(90), "--exe */server");
  Send(ProcessChange::kExit, 90, 1, 500);
  EXPECT_EQ(discovery_->RuleOf(90), "");
}

TEST_F(DiscoveryTest, ProcessesThatVanishAreCounted) {
  Start({{SelectorKind::kExe, "*/server"}});
  EXPECT_FALSE(Send(ProcessChange::kExec, 91));
  EXPECT_EQ(Metric("sonde_discovery_dropped_total", "process_gone"), 1);
}

TEST_F(DiscoveryTest, AFullKernelTableIsCountedAndNotRemembered) {
  proc_.Add({.pid = 92, .exe = "/bin/server"});
  control_.full = true;
  Start({{SelectorKind::kExe, "*/server"}});
  EXPECT_EQ(discovery_->traced(), 0U);
  EXPECT_GE(Metric("sonde_discovery_dropped_total", "trace_refused"), 1);
  EXPECT_FALSE(discovery_->Launch(92).ok());
}

TEST_F(DiscoveryTest, AReloadReleasesAndTakes) {
  proc_.Add({.pid = 10, .parent = 1, .exe = "/bin/old"});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/bin/helper"});
  proc_.Add({.pid = 20, .parent = 1, .exe = "/bin/both"});
  proc_.Add({.pid = 30, .parent = 1, .exe = "/bin/new"});
  Start({{SelectorKind::kExe, "*/old"}, {SelectorKind::kExe, "*/both"}});
  // A daemon that left its parent is still what came from a selected process.
  proc_.Add({.pid = 21, .parent = 1, .exe = "/bin/daemon"});
  Send(ProcessChange::kFork, 21, 20);
  EXPECT_THAT(control_.traced, ElementsAre(10, 11, 20, 21));

  EXPECT_FALSE(
      discovery_->Reload({.include = {{SelectorKind::kCmdline, "("}}, .exclude = {}}).ok());
  EXPECT_THAT(control_.traced, ElementsAre(10, 11, 20, 21)) << "a wrong rule changes nothing";

  ASSERT_TRUE(
      discovery_
          ->Reload({.include = {{SelectorKind::kExe, "*/both"}, {SelectorKind::kExe, "*/new"}},
                    .exclude = {}})
          .ok());
  EXPECT_THAT(control_.traced, ElementsAre(20, 21, 30));
  EXPECT_EQ(discovery_->RuleOf(30), "--exe */new");
  ASSERT_TRUE(discovery_
                  ->Reload({.include = {{SelectorKind::kExe, "*/both"}},
                            .exclude = {{SelectorKind::kExe, "*/daemon"}}})
                  .ok());
  EXPECT_THAT(control_.traced, ElementsAre(20));
}

TEST_F(DiscoveryTest, TheTableIsBounded) {
  Start({});
  control_.traced.insert(1);
  for (uint32_t pid = 5'000'000; pid < 5'033'000; ++pid) Send(ProcessChange::kFork, pid, 1);
  EXPECT_EQ(discovery_->traced(), 32768U);
  EXPECT_EQ(Metric("sonde_discovery_dropped_total", "table_full"), 33'000 - 32'768);
  for (uint32_t pid = 5'000'000; pid < 5'033'000; ++pid) Send(ProcessChange::kExit, pid, 1);
  EXPECT_EQ(discovery_->traced(), 0U);
  EXPECT_EQ(Metric("sonde_processes", "inherited"), 0);
}

DiscoveryRule Rule(const std::string& exe, RuleSettings settings) {
  return {.selectors = {{SelectorKind::kExe, exe}},
          .settings = std::make_shared<const RuleSettings>(std::move(settings))};
}

class RuleSettingsTest : public DiscoveryTest {
 protected:
  void StartRules(std::vector<DiscoveryRule> rules) {
    Start({});
    ASSERT_TRUE(Reload(std::move(rules)));
  }
  bool Reload(std::vector<DiscoveryRule> rules) {
    return discovery_->Reload({.include = {}, .exclude = {}, .rules = std::move(rules)}).ok();
  }
  std::string Named(uint32_t tgid) {
    const auto settings = discovery_->SettingsOf(tgid);
    return settings == nullptr ? "(none)" : settings->service_name;
  }
};

TEST_F(RuleSettingsTest, AreThoseOfTheRuleOrOfTheAncestors) {
  proc_.Add({.pid = 10, .exe = "/bin/gunicorn"});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/bin/worker"});
  proc_.Add({.pid = 12, .parent = 10, .exe = "/bin/nginx"});
  proc_.Add({.pid = 20, .exe = "/bin/other"});
  StartRules(
      {Rule("*/gunicorn", {.service_name = "shop"}), Rule("*/nginx", {.service_name = "front"})});
  EXPECT_EQ(Named(10), "shop");
  EXPECT_EQ(Named(11), "shop");
  EXPECT_EQ(Named(12), "front");
  EXPECT_EQ(Named(20), "(none)");

  proc_.Add({.pid = 13, .parent = 10, .exe = "/bin/gunicorn"});
  EXPECT_TRUE(Send(ProcessChange::kFork, 13, 10));
  EXPECT_EQ(Named(13), "shop");
  proc_.Add({.pid = 13, .parent = 10, .exe = "/bin/nginx"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 13, 10));
  EXPECT_EQ(Named(13), "front");
  proc_.Add({.pid = 13, .parent = 10, .exe = "/bin/sh"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 13, 10));
  EXPECT_EQ(Named(13), "front") << "no rule says more of it";

  proc_.Add({.pid = 30, .exe = "/bin/nginx"});
  EXPECT_TRUE(Send(ProcessChange::kExec, 30));
  EXPECT_EQ(Named(30), "front");
}

TEST_F(RuleSettingsTest, AReloadGivesOthersToWhoStays) {
  proc_.Add({.pid = 10, .exe = "/bin/nginx"});
  proc_.Add({.pid = 11, .parent = 10, .exe = "/bin/worker"});
  StartRules({Rule("*/nginx", {.service_name = "old"})});
  EXPECT_TRUE(discovery_->TakeSettingsChanged());
  EXPECT_FALSE(discovery_->TakeSettingsChanged());
  ASSERT_TRUE(Reload({Rule("*/nginx", {.service_name = "new"})}));
  EXPECT_TRUE(discovery_->TakeSettingsChanged());
  EXPECT_EQ(Named(10), "new");
  EXPECT_EQ(Named(11), "new");
  ASSERT_TRUE(discovery_->Reload({.include = {{SelectorKind::kExe, "nginx"}}, .exclude = {}}).ok());
  EXPECT_TRUE(discovery_->TakeSettingsChanged());
  EXPECT_EQ(Named(10), "(none)");
  EXPECT_THAT(control_.traced, ElementsAre(10, 11));
}

TEST_F(RuleSettingsTest, ALabelThatComesLaterChangesTheRule) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  StartRules(
      {{.selectors = {{SelectorKind::kContainerLabel, "team=shop"}},
        .settings = std::make_shared<const RuleSettings>(RuleSettings{.service_name = "labelled"})},
       Rule("*server", {.service_name = "any"})});
  EXPECT_EQ(Named(10), "any");
  EXPECT_TRUE(discovery_->TakeSettingsChanged());
  workloads_.Know(FakeWorkloads::Id('a'), "web", {{"team", "shop"}});
  Tick();
  EXPECT_EQ(Named(10), "labelled");
  EXPECT_EQ(discovery_->RuleOf(10), "include[0]: container-label team=shop");
  EXPECT_TRUE(discovery_->TakeSettingsChanged());
  Tick();
  EXPECT_FALSE(discovery_->TakeSettingsChanged());
}

TEST_F(RuleSettingsTest, PortsOfARuleBindItsProcessesOnly) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  proc_.Add({.pid = 20, .exe = "/bin/b"});
  StartRules({Rule("*/a", {.service_name = "", .ports = {{80, 80}, {90, 99}}}),
              Rule("*/b", {.service_name = ""})});
  EXPECT_TRUE(discovery_->Wants(10, 80, 50'000));
  EXPECT_TRUE(discovery_->Wants(10, 50'000, 95));
  EXPECT_FALSE(discovery_->Wants(10, 50'000, 5432));
  EXPECT_TRUE(discovery_->Wants(20, 50'000, 5432));
  EXPECT_TRUE(discovery_->Wants(77, 50'000, 5432));
}

TEST(DiscoveryCreateTest, BadSelectorIsAUsageError) {
  FakeControl control;
  MetricRegistry metrics;
  const auto made = Discovery::Create({.include = {{SelectorKind::kCmdline, "["}}, .exclude = {}},
                                      control, ProcessReader(), metrics);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sonde::discovery
