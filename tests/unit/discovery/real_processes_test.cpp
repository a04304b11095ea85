// SPDX-License-Identifier: Apache-2.0
// Discovery against the machine's own /proc, with processes that the test starts.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "discovery/discovery.h"
#include "discovery/processes_report.h"
#include "discovery/selection.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/trace_control.h"

namespace sonde::discovery {
namespace {

class Control final : public TraceControl {
 public:
  Status Trace(uint32_t tgid) override {
    traced.insert(tgid);
    return absl::OkStatus();
  }
  void Untrace(uint32_t tgid) override { traced.erase(tgid); }
  std::set<uint32_t> traced;
};

// A program that is ended with the test.
class Child {
 public:
  explicit Child(std::vector<std::string> argv,
                 std::vector<std::string> env = {"PATH=/usr/bin:/bin"}) {
    std::vector<char*> args;
    std::vector<char*> variables;
    for (std::string& arg : argv) args.push_back(arg.data());
    for (std::string& variable : env) variables.push_back(variable.data());
    args.push_back(nullptr);
    variables.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnp(&pid_, args[0], nullptr, &attributes, args.data(), variables.data());
    posix_spawnattr_destroy(&attributes);
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  uint32_t pid() const { return static_cast<uint32_t>(pid_); }

 private:
  pid_t pid_ = -1;
};

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(RealProcessesTest, ScanFindsByEnvironmentWithDescendants) {
  // The shell stays and has a child; only the shell's environment names it, the child's is emptied.
  const std::string mark = "SONDE_TEST_MARK=" + std::to_string(getpid());
  const Child shell({"sh", "-c", "env -i sleep 60; true"}, {"PATH=/usr/bin:/bin", mark});
  const ProcessReader reader;
  uint32_t sleeper = 0;
  ASSERT_TRUE(Eventually([&] {
    for (const uint32_t pid : reader.Pids()) {
      const auto facts = reader.Read(pid, kFieldArgs);
      if (facts && facts->parent == shell.pid() && !facts->args.empty() &&
          facts->args[0] == "sleep") {
        sleeper = pid;
      }
    }
    return sleeper != 0;
  }));
  Control control;
  MetricRegistry metrics;
  auto made = Discovery::Create({.include = {{SelectorKind::kEnv, mark}}, .exclude = {}}, control,
                                reader, metrics);
  ASSERT_TRUE(made.ok());
  (*made)->Scan();
  EXPECT_THAT(control.traced, testing::UnorderedElementsAre(shell.pid(), sleeper));
  EXPECT_EQ((*made)->RuleOf(sleeper), "inherited from " + std::to_string(shell.pid()));
}

TEST(RealProcessesTest, PortOfAPythonServer) {
  const Child server({"python3", "-u", "-c",
                      "import socket,time\n"
                      "s=socket.socket();s.bind(('127.0.0.1',0));s.listen();time.sleep(60)"});
  const ProcessReader reader;
  std::vector<uint16_t> ports;
  ASSERT_TRUE(Eventually([&] {
    const auto facts = reader.Read(server.pid(), kFieldPorts);
    if (facts) ports = facts->listen_ports;
    return !ports.empty();
  }));
  ASSERT_EQ(ports.size(), 1U);
  auto selection = Selection::Create(
      {.include = {{SelectorKind::kPort, std::to_string(ports[0])}}, .exclude = {}});
  const auto candidates = ListCandidates(
      reader, *selection, [](uint32_t) { return std::string(); },
      [](uint32_t) { return Libraries(); });
  const auto found = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& c) { return c.pid == server.pid(); });
  ASSERT_NE(found, candidates.end());
  EXPECT_TRUE(found->selected);
  EXPECT_EQ(found->language, "python");
  EXPECT_EQ(found->rule, "--port " + std::to_string(ports[0]));
}

// Processes that are born, exec and die while they are looked at.
TEST(RealProcessesTest, ReadingRacesWithForkExecAndExit) {
  const Child storm({"sh", "-c", "while :; do true & /bin/true & wait; done"});
  Control control;
  MetricRegistry metrics;
  auto made = Discovery::Create({.include = {{SelectorKind::kExe, "*/true"},
                                             {SelectorKind::kCgroup, "*"},
                                             {SelectorKind::kPort, "1-65535"}},
                                 .exclude = {{SelectorKind::kEnv, "X=1"}}},
                                control, ProcessReader(), metrics);
  ASSERT_TRUE(made.ok());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  uint32_t newest = storm.pid();
  while (std::chrono::steady_clock::now() < end) {
    (*made)->Scan();
    for (const uint32_t pid : ProcessReader().Pids()) newest = std::max(newest, pid);
    for (uint32_t pid = newest; pid < newest + 20; ++pid) {
      ProcessEvent event;
      event.change = ProcessChange::kExec;
      event.tgid = pid;
      (*made)->OnProcess(event);
    }
  }
  SUCCEED();
}

}  // namespace
}  // namespace sonde::discovery
