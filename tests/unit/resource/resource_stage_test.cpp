// SPDX-License-Identifier: Apache-2.0
#include "resource/resource_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "resource/resource_json.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"
#include "unit/discovery/fake_proc.h"

namespace sonde::resource {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

std::string Text(const Resource& resource, std::string_view key) {
  const AttributeValue* value = FindAttribute(resource.attributes, key);
  if (value == nullptr) return "(none)";
  if (const auto* number = std::get_if<int64_t>(value)) return std::to_string(*number);
  const auto* text = std::get_if<std::string>(value);
  return text == nullptr ? "(other)" : *text;
}

class ResourceStageTest : public testing::Test {
 protected:
  ResourceStageTest() {
    proc_.Write("sys/kernel/hostname", "box\n");
    proc_.Write("sys/kernel/random/boot_id", "b-o-o-t\n");
    proc_.Write("stat", "cpu 1 2\nbtime 1700558700\nprocesses 1\n");
    proc_.Write("root/etc/machine-id", "0123456789abcdef\n");
    proc_.Write("root/etc/os-release",
                "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\nJUNK\n=\n");
    proc_.Write("root/etc/passwd",
                "root:x:0:0::/:/bin/sh\nbad\n:::\nwww-data:x:33:33::/:/bin/sh\n");
  }

  void Start(ResourceOptions options = {}) {
    auto made = ResourceStage::Create(options, proc_.reader(), metrics_, proc_.root() + "/root");
    ASSERT_TRUE(made.ok());
    stage_ = std::move(*made);
  }

  void Send(ProcessChange change, uint32_t tgid, uint32_t parent = 1, uint64_t mono_ns = 5,
            std::string_view program = {}) {
    ProcessEvent event;
    event.mono_ns = mono_ns;
    event.change = change;
    event.tgid = tgid;
    event.parent_tgid = parent;
    event.start_ns = 300 * 10'000'000ULL;
    event.traced = true;
    event.program = program;
    stage_->OnProcess(event);
  }

  std::string NameOf(uint32_t tgid) { return stage_->ForProcess(tgid)->service_name; }

  double Dropped(const std::string& reason) const {
    for (const MetricFamily& family : metrics_.Snapshot()) {
      if (family.name != "sonde_resource_dropped_total") continue;
      for (const MetricSample& sample : family.samples) {
        if (sample.labels[0].second == reason) return sample.value;
      }
    }
    return -1;
  }

  FakeProc proc_;
  MetricRegistry metrics_;
  std::unique_ptr<ResourceStage> stage_;
};

TEST_F(ResourceStageTest, EverythingThatIsKnown) {
  proc_.Add(
      {.pid = 42,
       .parent = 7,
       .exe = "/usr/bin/python3.11",
       .args = {"python3", "--token=secret", "app.py"},
       .env = {"OTEL_RESOURCE_ATTRIBUTES=service.version=1.2,deployment.environment.name=prod,"
               "service.namespace=shops,process.pid=1,telemetry.sdk.name=liar,x=%C3%A4",
               "OTEL_SERVICE_NAME=cart"},
       .cgroup = "0::/system.slice/cart.service\n",
       .start_ticks = 3485,
       .uid = 33});
  Start();
  const auto resource = stage_->ForProcess(42);
  EXPECT_EQ(resource->service_name, "cart");
  const std::pair<const char*, const char*> expected[] = {
      {"service.name", "cart"},
      {"service.version", "1.2"},
      {"service.namespace", "shops"},
      {"deployment.environment.name", "prod"},
      {"x", "ä"},
      {"telemetry.sdk.name", "sonde"},
      {"telemetry.sdk.language", "python"},
      {"process.pid", "42"},
      {"process.parent_pid", "7"},
      {"process.executable.name", "python3.11"},
      {"process.executable.path", "/usr/bin/python3.11"},
      {"process.command", "python3"},
      {"process.owner", "www-data"},
      {"process.creation.time", "2023-11-21T09:25:34.850Z"},
      {"process.runtime.name", "cpython"},
      {"process.linux.cgroup", "/system.slice/cart.service"},
      {"host.name", "box"},
      {"host.id", "0123456789abcdef"},
      {"os.type", "linux"},
      {"os.name", "Debian GNU/Linux"},
      {"os.version", "12"},
      {"os.description", "Debian 12"},
      {"process.command_args", "(none)"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(Text(*resource, key), value) << key;
  EXPECT_EQ(Text(*resource, "service.instance.id").size(), 36U);
  EXPECT_THAT(Text(*resource, "host.arch"), testing::AnyOf("amd64", "arm64"));
  EXPECT_NE(Text(*resource, "telemetry.sdk.version"), "(none)");
  EXPECT_THAT(ToJson(*resource), testing::Not(testing::HasSubstr("secret")));
}

TEST_F(ResourceStageTest, TheRuntimesVersionWhenItIsKnown) {
  proc_.Add({.pid = 10, .exe = "/usr/bin/node"});
  proc_.Add({.pid = 11, .exe = "/usr/bin/node"});
  Start();
  std::string version;
  stage_->SetRuntimes([&](uint32_t tgid) { return tgid == 10 ? version : std::string(); });
  const auto before = stage_->ForProcess(10);
  EXPECT_EQ(Text(*before, "process.runtime.version"), "(none)");
  version = "20.19.2";
  stage_->OnRuntimes({10, 99});
  EXPECT_EQ(Text(*stage_->ForProcess(10), "process.runtime.version"), "20.19.2");
  EXPECT_EQ(Text(*stage_->Latest(10, before), "process.runtime.version"), "20.19.2");
  EXPECT_EQ(Text(*stage_->ForProcess(11), "process.runtime.version"), "(none)");
}

TEST_F(ResourceStageTest, TheCommandLineOnlyIfWantedAndWithoutSecrets) {
  proc_.Add({.pid = 10, .exe = "/bin/a", .args = {"a", "--token=secret", "--port=80"}});
  proc_.Add({.pid = 11, .exe = "/bin/a", .args = {"a"}});
  Start({.service_name = "", .attributes = {}, .command_line = true});
  const auto resource = stage_->ForProcess(10);
  const AttributeValue* value = FindAttribute(resource->attributes, "process.command_args");
  ASSERT_NE(value, nullptr);
  EXPECT_THAT(std::get<std::vector<std::string>>(*value),
              testing::ElementsAre("a", "--token=REDACTED", "--port=80"));
}

TEST_F(ResourceStageTest, InvocationOfAUnit) {
  const std::vector<std::string> env = {"INVOCATION_ID=0123abcd"};
  proc_.Add({.pid = 10, .exe = "/bin/a", .env = env, .cgroup = "0::/system.slice/a.service\n"});
  proc_.Add({.pid = 11,
             .exe = "/bin/sh",
             .env = env,
             .cgroup = "0::/user.slice/user-0.slice/session-1.scope\n"});
  Start();
  EXPECT_EQ(Text(*stage_->ForProcess(10), "sonde.systemd.invocation_id"), "0123abcd");
  EXPECT_EQ(Text(*stage_->ForProcess(11), "sonde.systemd.invocation_id"), "(none)");
}

TEST_F(ResourceStageTest, RuntimeOfAGoProgram) {
  const std::string program =
      std::string(SONDE_FIXTURES) + "/../fuzz/discovery/elf_facts_fuzz_seeds/go";
  proc_.Add({.pid = 10, .exe = program});
  Start();
  const auto resource = stage_->ForProcess(10);
  EXPECT_EQ(Text(*resource, "process.runtime.name"), "go");
  EXPECT_EQ(Text(*resource, "process.runtime.version"), "go1.22.3");
  EXPECT_EQ(Text(*resource, "telemetry.sdk.language"), "go");
}

TEST_F(ResourceStageTest, OrderOfServiceNames) {
  const FakeProc::Process base{.pid = 1, .exe = "/usr/bin/node", .args = {"node", "script.js"}};
  const auto add = [&](uint32_t pid, std::vector<std::string> env) {
    FakeProc::Process process = base;
    process.pid = pid;
    process.env = std::move(env);
    proc_.Add(process);
  };
  add(10, {"OTEL_SERVICE_NAME=own", "OTEL_RESOURCE_ATTRIBUTES=service.name=listed"});
  add(11, {"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=service.name=listed"});
  add(12, {"OTEL_RESOURCE_ATTRIBUTES=service.name="});
  Start();
  EXPECT_EQ(NameOf(10), "own");
  EXPECT_EQ(NameOf(11), "listed");
  EXPECT_EQ(NameOf(12), "script");
  Start({.service_name = "flag", .attributes = {{"service.name", "attribute"}}});
  EXPECT_EQ(NameOf(10), "own");
  EXPECT_EQ(NameOf(11), "listed");
  EXPECT_EQ(NameOf(12), "flag");
  Start({.service_name = "", .attributes = {{"service.name", "attribute"}}});
  EXPECT_EQ(NameOf(12), "attribute");
}

TEST_F(ResourceStageTest, TheProcessWinsOverTheConfigurationWhichWinsOverWhatWasFound) {
  proc_.Add({.pid = 10,
             .exe = "/bin/a",
             .env = {"OTEL_RESOURCE_ATTRIBUTES=team=blue,service.instance.id=i"}});
  Start({.service_name = "",
         .attributes = {
             {"team", "red"}, {"host.name", "named"}, {"zone", "z"}, {"process.pid", "0"}}});
  const auto resource = stage_->ForProcess(10);
  EXPECT_EQ(Text(*resource, "team"), "blue");
  EXPECT_EQ(Text(*resource, "zone"), "z");
  EXPECT_EQ(Text(*resource, "host.name"), "named");
  EXPECT_EQ(Text(*resource, "process.pid"), "10");
  EXPECT_EQ(Text(*resource, "service.instance.id"), "i");
}

TEST_F(ResourceStageTest, AMalformedListIsCountedAndTheRestStands) {
  proc_.Add(
      {.pid = 10, .exe = "/bin/a", .env = {"OTEL_RESOURCE_ATTRIBUTES=service.name=x,broken"}});
  Start();
  EXPECT_EQ(NameOf(10), "a");
  EXPECT_EQ(Dropped("malformed_attributes"), 1);
}

TEST_F(ResourceStageTest, HostileNamesBecomeUtf8) {
  proc_.Add({.pid = 10,
             .exe = "/bin/\xff\xfe",
             .args = {"\xc3", "b"},
             .env = {"OTEL_SERVICE_NAME=a\x80", "\xff"}});
  Start();
  EXPECT_EQ(NameOf(10), "a\xEF\xBF\xBD");
  EXPECT_EQ(Text(*stage_->ForProcess(10), "process.executable.name"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(ResourceStageTest, ASecondCallIsTheSameObject) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  Start();
  const auto first = stage_->ForProcess(10);
  proc_.Remove(10);
  EXPECT_EQ(stage_->ForProcess(10).get(), first.get());
}

TEST_F(ResourceStageTest, AShortLivedProcessIsReadAtItsExec) {
  proc_.Add({.pid = 10, .exe = "/bin/first"});
  Start();
  Send(ProcessChange::kExec, 10);
  proc_.Add({.pid = 10, .exe = "/bin/second"});
  Send(ProcessChange::kExec, 10);
  proc_.Remove(10);
  EXPECT_EQ(NameOf(10), "second");
  Send(ProcessChange::kExec, 11, 1, 5, "/opt/tool");  // gone before it could be read
  EXPECT_EQ(NameOf(11), "tool");
  EXPECT_EQ(Dropped("process_gone"), 1);
}

TEST_F(ResourceStageTest, AChildIsItsParentWithAnotherIdentity) {
  proc_.Add({.pid = 10, .exe = "/bin/a", .env = {"OTEL_RESOURCE_ATTRIBUTES=custom.key=v"}});
  Start();
  Send(ProcessChange::kExec, 10);
  Send(ProcessChange::kFork, 11, 10);
  Send(ProcessChange::kFork, 12, 11);
  proc_.Remove(10);
  auto parent = stage_->ForProcess(10);
  const auto child = stage_->ForProcess(12);
  EXPECT_EQ(child->service_name, "a");
  EXPECT_EQ(Text(*child, "process.pid"), "12");
  EXPECT_EQ(Text(*child, "process.parent_pid"), "11");
  EXPECT_EQ(Text(*child, "process.creation.time"), "2023-11-21T09:25:03.000Z");
  EXPECT_NE(Text(*child, "service.instance.id"), Text(*parent, "service.instance.id"));
  EXPECT_EQ(stage_->ForProcess(12).get(), child.get());
  parent.reset();
  stage_.reset();
  EXPECT_EQ(Text(*child, "custom.key"), "v");  // the child holds the key's text
}

TEST_F(ResourceStageTest, LateSpansFindAProcessForAMinute) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  Start();
  Send(ProcessChange::kExec, 10);
  proc_.Remove(10);
  Send(ProcessChange::kExit, 10, 1, 100 * kSecond);
  stage_->OnTick(159 * kSecond);
  EXPECT_EQ(NameOf(10), "a");
  stage_->OnTick(161 * kSecond);
  EXPECT_EQ(NameOf(10), "unknown_service");
  EXPECT_EQ(Dropped("process_gone"), 1);
}

TEST_F(ResourceStageTest, AReusedNumberIsNotDroppedWithItsPredecessor) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  Start();
  Send(ProcessChange::kExec, 10);
  Send(ProcessChange::kExit, 10, 1, 100 * kSecond);
  proc_.Add({.pid = 10, .exe = "/bin/b"});
  Send(ProcessChange::kExec, 10, 1, 101 * kSecond);
  proc_.Remove(10);
  stage_->OnTick(200 * kSecond);
  EXPECT_EQ(NameOf(10), "b");
}

TEST_F(ResourceStageTest, TheTableIsBoundedAndTheLongestEndedGoesFirst) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  Start();
  Send(ProcessChange::kExec, 10);
  for (uint32_t pid = 10'000; pid < 20'000; ++pid) {
    Send(ProcessChange::kFork, pid, 10);
    Send(ProcessChange::kExit, pid, 10, pid);
  }
  stage_->OnTick(20'000);
  for (const MetricFamily& family : metrics_.Snapshot()) {
    if (family.name == "sonde_resources") {
      EXPECT_EQ(family.samples[0].value, 4096);
    }
  }
  EXPECT_EQ(Dropped("table_full"), 10'001 - 4096);
  proc_.Remove(10);
  EXPECT_EQ(NameOf(10), "a");
  EXPECT_EQ(NameOf(19'999), "a");
  EXPECT_EQ(NameOf(10'000), "unknown_service");
}

TEST_F(ResourceStageTest, UntracedProcessesAreNotRead) {
  proc_.Add({.pid = 10, .exe = "/bin/a"});
  Start();
  ProcessEvent event;
  event.change = ProcessChange::kExec;
  event.tgid = 10;
  stage_->OnProcess(event);
  proc_.Remove(10);
  EXPECT_EQ(NameOf(10), "unknown_service");
}

TEST_F(ResourceStageTest, PacketsHaveNoHostAndNoProcess) {
  Start({.service_name = "", .attributes = {{"site", "lab"}}});
  const auto wire = stage_->ForWire();
  EXPECT_EQ(wire->service_name, "unknown_service");
  EXPECT_EQ(Text(*wire, "site"), "lab");
  EXPECT_EQ(Text(*wire, "host.name"), "(none)");
  EXPECT_EQ(Text(*wire, "process.pid"), "(none)");
  EXPECT_EQ(Text(*wire, "telemetry.sdk.name"), "sonde");
  EXPECT_EQ(stage_->ForProcess(0).get(), wire.get());
}

TEST(ResourceReplayTest, OnlyTheRecordingSpeaks) {
  MetricRegistry metrics;
  auto stage = ResourceStage::Create({}, ProcessReader::None(), metrics);
  ASSERT_TRUE(stage.ok());
  const auto recorded =
      FromJson(R"({"attributes":[{"key":"service.name","value":{"stringValue":"then"}}]})");
  ASSERT_TRUE(recorded.ok());
  (*stage)->Preload(static_cast<uint32_t>(getpid()), *recorded);
  EXPECT_EQ((*stage)->ForProcess(static_cast<uint32_t>(getpid()))->service_name, "then");
  const auto other = (*stage)->ForProcess(static_cast<uint32_t>(getppid()));
  EXPECT_EQ(other->service_name, "unknown_service");
  EXPECT_EQ(Text(*other, "host.name"), "(none)");
  EXPECT_EQ(Text(*other, "os.type"), "(none)");
}

TEST(ResourceLiveTest, DescribesThisProcess) {
  MetricRegistry metrics;
  auto stage = ResourceStage::Create({}, ProcessReader(), metrics);
  ASSERT_TRUE(stage.ok());
  const auto self = (*stage)->ForProcess(static_cast<uint32_t>(getpid()));
  EXPECT_EQ(self->service_name, "sonde_resource_test");
  EXPECT_EQ(Text(*self, "process.parent_pid"), std::to_string(getppid()));
  EXPECT_EQ(Text(*self, "telemetry.sdk.language"), "cpp");
  EXPECT_EQ(Text(*self, "os.type"), "linux");
  EXPECT_NE(Text(*self, "process.creation.time"), "(none)");
}

}  // namespace
}  // namespace sonde::resource
