// SPDX-License-Identifier: Apache-2.0
// What containers and units make of resources, and the spans that wait for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "resource/resource_stage.h"
#include "resource/span_hold.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/span.h"
#include "support/fake_workloads.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::resource {
namespace {

using testing::ElementsAre;

constexpr uint64_t kSecond = 1'000'000'000;

class Collected final : public SpanSink {
 public:
  void OnSpan(Span&& span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

class SurroundingsTest : public testing::Test {
 protected:
  void Start(ResourceOptions options = {}) {
    auto made = ResourceStage::Create(options, proc_.reader(&workloads_), metrics_);
    ASSERT_TRUE(made.ok());
    stage_ = std::move(*made);
    hold_ = std::make_unique<SpanHold>(*stage_, out_, metrics_);
  }

  std::string Of(uint32_t tgid, std::string_view key) {
    const auto resource = stage_->ForProcess(tgid);
    const AttributeValue* value = FindAttribute(resource->attributes, key);
    if (value == nullptr) return "(none)";
    if (const auto* list = std::get_if<std::vector<std::string>>(value)) {
      return list->empty() ? "[]" : list->front();
    }
    const auto* text = std::get_if<std::string>(value);
    return text == nullptr ? "(other)" : *text;
  }

  Span SpanOf(uint32_t tgid) {
    Span span;
    span.tgid = tgid;
    span.resource = stage_->ForProcess(tgid);
    return span;
  }

  void Tick(uint64_t mono_ns) {
    stage_->OnWorkloads(workloads_.TakeChanged());
    stage_->OnTick(mono_ns);
    hold_->OnTick();
  }

  double Held(const std::string& result) const {
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != "sonde_resource_held_spans_total") continue;
      for (const MetricSample& sample : family.samples) {
        if (sample.labels[0].second == result) return sample.value;
      }
    }
    return -1;
  }

  FakeProc proc_;
  FakeWorkloads workloads_;
  MetricRegistry metrics_;
  Collected out_;
  std::unique_ptr<ResourceStage> stage_;
  std::unique_ptr<SpanHold> hold_;
};

TEST_F(SurroundingsTest, AttributesOfAContainer) {
  workloads_.Know(FakeWorkloads::Id('a'), "web",
                  {{"a.b", "1"}, {"com.docker.compose.service", "front"}, {"secret", "x"}});
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  ResourceOptions options;
  options.container_labels = {"a.*", "com.docker.compose.service"};
  Start(options);
  EXPECT_EQ(Of(10, "container.id"), FakeWorkloads::Id('a'));
  EXPECT_EQ(Of(10, "container.name"), "web");
  EXPECT_EQ(Of(10, "container.runtime.name"), "docker");
  EXPECT_EQ(Of(10, "container.image.name"), "registry/shop/web");
  EXPECT_EQ(Of(10, "container.image.tags"), "1.2");
  EXPECT_EQ(Of(10, "container.label.a.b"), "1");
  EXPECT_EQ(Of(10, "container.label.secret"), "(none)");
  EXPECT_EQ(Of(10, "service.name"), "front");
}

TEST_F(SurroundingsTest, WhoNamesItselfKeepsItsName) {
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  proc_.Add({.pid = 10,
             .exe = "/server",
             .env = {"OTEL_SERVICE_NAME=own"},
             .cgroup = FakeWorkloads::Cgroup('a')});
  proc_.Add({.pid = 11, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  Start();
  EXPECT_EQ(Of(10, "service.name"), "own");
  EXPECT_EQ(Of(11, "service.name"), "web");
}

TEST_F(SurroundingsTest, UnitsNameServicesAndSessionsDoNot) {
  proc_.Add({.pid = 10, .exe = "/usr/bin/x", .cgroup = "0::/system.slice/shop.service\n"});
  proc_.Add({.pid = 11, .exe = "/usr/bin/x", .cgroup = "0::/user.slice/session-3.scope\n"});
  Start();
  EXPECT_EQ(Of(10, "service.name"), "shop");
  EXPECT_EQ(Of(10, "systemd.unit.name"), "shop.service");
  EXPECT_EQ(Of(10, "sonde.systemd.slice"), "system.slice");
  EXPECT_EQ(Of(11, "service.name"), "x");
  EXPECT_EQ(Of(11, "systemd.unit.name"), "session-3.scope");
}

TEST_F(SurroundingsTest, PodsAreKnownByTheirUid) {
  const std::string uid = "8d2ac4a7-1a11-4c22-a6c4-b0a4d7f9b5a3";
  proc_.Add({.pid = 10,
             .exe = "/x",
             .cgroup = "0::/kubepods/pod" + uid + "/" + FakeWorkloads::Id('a') + "\n"});
  proc_.Add({.pid = 11, .exe = "/x"});  // in a namespace of its own
  proc_.Write("11/mountinfo", "1 2 8:1 /var/lib/kubelet/pods/" + uid +
                                  "/etc-hosts /etc/hosts rw - ext4 /dev/sda rw\n");
  Start();
  EXPECT_EQ(Of(10, "k8s.pod.uid"), uid);
  EXPECT_EQ(Of(10, "container.runtime.name"), "containerd");
  EXPECT_EQ(Of(11, "k8s.pod.uid"), uid);
  EXPECT_EQ(Of(11, "container.id"), "(none)");
}

TEST_F(SurroundingsTest, SpansWaitForTheDescription) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  proc_.Add({.pid = 20, .exe = "/other"});
  Start();
  hold_->OnSpan(SpanOf(10));
  hold_->OnSpan(SpanOf(20));
  ASSERT_EQ(out_.spans.size(), 1U);  // only whose container is looked up
  Tick(kSecond / 2);
  EXPECT_EQ(out_.spans.size(), 1U);
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  Tick(kSecond / 2 + 1);
  ASSERT_EQ(out_.spans.size(), 2U);
  EXPECT_EQ(out_.spans[1].resource->service_name, "web");
  EXPECT_EQ(Held("described"), 1);
}

// Spans that were made earlier, and waited elsewhere, get the new name; those of a later program
// under the same number do not.
TEST_F(SurroundingsTest, LateSpansGetTheLatest) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  Start();
  Span early = SpanOf(10);
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  Tick(1);
  hold_->OnSpan(std::move(early));
  EXPECT_EQ(out_.spans.back().resource->service_name, "web");
  EXPECT_EQ(stage_->ForProcess(10)->service_name, "web");
  Span before = SpanOf(10);
  proc_.Add({.pid = 10, .exe = "/next"});
  ProcessEvent exec;
  exec.change = ProcessChange::kExec;
  exec.tgid = 10;
  exec.traced = true;
  stage_->OnProcess(exec);
  hold_->OnSpan(std::move(before));
  EXPECT_EQ(out_.spans.back().resource->service_name, "web");
  EXPECT_EQ(stage_->ForProcess(10)->service_name, "next");
}

TEST_F(SurroundingsTest, WaitingIsBounded) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  Start();
  hold_->OnSpan(SpanOf(10));
  Tick(kSecond - 1);
  EXPECT_EQ(out_.spans.size(), 0U);
  Tick(kSecond);
  ASSERT_EQ(out_.spans.size(), 1U);
  EXPECT_EQ(out_.spans[0].resource->service_name, "server");
  EXPECT_EQ(Held("timed_out"), 1);
  hold_->OnSpan(SpanOf(10));  // the time of its process is over
  EXPECT_EQ(out_.spans.size(), 2U);
  // A search that ends without an answer ends the waiting too; and so does the end of sonde.
  proc_.Add({.pid = 11, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('b')});
  hold_->OnSpan(SpanOf(11));
  workloads_.GiveUp(FakeWorkloads::Id('b'));
  Tick(kSecond + 1);
  EXPECT_EQ(out_.spans.size(), 3U);
  proc_.Add({.pid = 12, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('c')});
  for (size_t i = 0; i < SpanHold::kMaxHeld + 10; ++i) hold_->OnSpan(SpanOf(12));
  EXPECT_EQ(out_.spans.size(), 13U);
  EXPECT_EQ(Held("full"), 10);
  hold_->Shutdown();
  EXPECT_EQ(out_.spans.size(), 13U + SpanHold::kMaxHeld);
}

TEST_F(SurroundingsTest, WithoutHoldNothingWaits) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  ResourceOptions options;
  options.hold = Milliseconds(0);
  Start(options);
  hold_->OnSpan(SpanOf(10));
  EXPECT_EQ(out_.spans.size(), 1U);
}

TEST_F(SurroundingsTest, ChildrenAreInTheContainerToo) {
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  Start();
  stage_->ForProcess(10);
  ProcessEvent fork;
  fork.change = ProcessChange::kFork;
  fork.tgid = 11;
  fork.parent_tgid = 10;
  fork.traced = true;
  stage_->OnProcess(fork);
  EXPECT_EQ(Of(11, "container.name"), "web");
  EXPECT_EQ(Of(11, "service.name"), "web");
  workloads_.Know(FakeWorkloads::Id('a'), "shop");
  Tick(1);
  EXPECT_EQ(Of(10, "service.name"), "shop");
  EXPECT_EQ(Of(11, "service.name"), "shop");
}

// Stronger than container and default, weaker than what the process says of itself.
TEST_F(SurroundingsTest, ARuleNamesItsProcesses) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  proc_.Add({.pid = 11, .exe = "/server", .env = {"OTEL_SERVICE_NAME=own"}});
  proc_.Add({.pid = 12, .exe = "/server"});
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  ResourceOptions options;
  options.service_name = "default";
  Start(options);
  auto rule = std::make_shared<const RuleSettings>(RuleSettings{.service_name = "shop"});
  stage_->SetRules([&rule](uint32_t tgid) { return tgid == 12 ? nullptr : rule; });
  EXPECT_EQ(Of(10, "service.name"), "shop");
  EXPECT_EQ(Of(11, "service.name"), "own");
  EXPECT_EQ(Of(12, "service.name"), "default");
  EXPECT_EQ(stage_->ForProcess(10)->service_name, "shop");
  EXPECT_EQ(stage_->ForProcess(11)->rule, rule) << "its other settings hold all the same";
  EXPECT_EQ(stage_->ForProcess(12)->rule, nullptr);

  // The span that waits is named by the rule in force when it leaves.
  Span early = SpanOf(10);
  early.root_tgid = 11;
  rule = std::make_shared<const RuleSettings>(RuleSettings{.service_name = "renamed"});
  EXPECT_EQ(Of(10, "service.name"), "shop") << "until it is told";
  stage_->OnRules();
  EXPECT_EQ(Of(10, "service.name"), "renamed");
  hold_->OnSpan(std::move(early));
  ASSERT_EQ(out_.spans.size(), 1U);
  EXPECT_EQ(out_.spans[0].resource->service_name, "renamed");
  EXPECT_EQ(out_.spans[0].root_rule, rule);
}

TEST_F(SurroundingsTest, ARuleWithoutANameLeavesTheDerivedOne) {
  proc_.Add({.pid = 10, .exe = "/server", .cgroup = FakeWorkloads::Cgroup('a')});
  workloads_.Know(FakeWorkloads::Id('a'), "web");
  Start();
  stage_->SetRules([](uint32_t) { return std::make_shared<const RuleSettings>(); });
  EXPECT_EQ(Of(10, "service.name"), "web");
}

}  // namespace
}  // namespace sonde::resource
