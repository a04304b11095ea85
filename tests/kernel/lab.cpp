// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <utility>

#include "kernel/host.h"
#include "kernel/kernel.h"
#include "log.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

constexpr std::chrono::seconds kPatience(30);
constexpr Milliseconds kPoll(5);

// In the child: stay until the parent has marked it as traced.
void WaitAtGate(int gate) {
  char go = 0;
  while (read(gate, &go, 1) < 0 && errno == EINTR) continue;
  close(gate);
}

}  // namespace

void Must(bool condition, std::source_location where) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: script failed, errno: %s\n", where.file_name(), where.line(),
               std::strerror(errno));
  _exit(1);
}

Lab::Child::Child(Lab& lab, const Script& script) {
  int gate[2];
  if (pipe(gate) != 0) return;
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(gate[1]);
    WaitAtGate(gate[0]);
    script();
    _exit(0);
  }
  close(gate[0]);
  gate_ = gate[1];
  EXPECT_TRUE(pid_ > 0 && lab.kernel().Trace(tgid()).ok());
}

void Lab::Child::Release() {
  if (gate_ >= 0) close(gate_);
  gate_ = -1;
}

int Lab::Child::Wait() {
  int status = -1;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  waited_ = true;
  return status;
}

Lab::Child::~Child() {
  if (pid_ > 0 && !waited_) {
    kill(pid_, SIGKILL);
    Wait();
  }
  Release();
}

std::unique_ptr<Lab> Lab::Create(const std::string& family, CaptureOptions capture,
                                 const kernel::KernelOptions& options, std::string& obstacle) {
  std::unique_ptr<Lab> lab(new Lab(family));
  if (const Status status = kernel::CheckHost(kernel::ReadHost()); !status.ok()) {
    obstacle = std::string(status.message());
    return nullptr;
  }
  if (family == "sock_length" && !kernel::HasTracepoint("sock_send_length")) {
    obstacle = "the kernel has no tracepoint sock_send_length";
    return nullptr;
  }
  capture.probes = {family};
  auto kernel = kernel::Kernel::Create(capture, options, lab->metrics_);
  // From here on it is a fault and not an obstacle.
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  if (!kernel.ok()) return nullptr;
  lab->kernel_ = *std::move(kernel);
  return lab;
}

Log Lab::Run(const Script& script, const Script& beside) {
  Log log;
  Drain(log);
  log = Log();
  Child child(*this, script);
  child.Release();
  if (beside) beside();
  PollUntil(log, [&] { return log.Has(ProcessChange::kExit, child.tgid()); });
  if (testing::Test::HasFatalFailure()) return log;
  const int status = child.Wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "child ended with status " << status;
  return log;
}

void Lab::PollUntil(Log& log, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the records did not come";
    const auto polled = kernel_->Poll(log, kPoll);
    ASSERT_TRUE(polled.ok()) << polled.status();
  }
}

void Lab::Drain(Log& log) {
  for (bool more = true; more;) {
    const auto polled = kernel_->Poll(log, Milliseconds(0));
    ASSERT_TRUE(polled.ok()) << polled.status();
    more = *polled > 0;
  }
}

double Lab::Metric(const std::string& name, const MetricLabels& labels) const {
  double sum = 0;
  for (const MetricFamily& family : metrics_.Snapshot()) {
    if (family.name != name) continue;
    for (const MetricSample& sample : family.samples) {
      if (sample.labels == labels) sum += sample.value;
    }
  }
  return sum;
}

double Lab::Dropped(const std::string& reason) const {
  return Metric("sonde_events_dropped_total", {{"reason", reason}});
}

double Lab::QuietCalls() const { return Metric("sonde_quiet_calls_total", {}); }

ConnectionId Lab::Id(int fd) const {
  if (socket_table()) {
    struct stat about = {};
    EXPECT_EQ(fstat(fd, &about), 0);
    return about.st_ino | 1ULL << 63;
  }
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  return cookie;
}

void LabTest::UseFamily(const std::string& family) {
  struct Made {
    std::shared_ptr<Lab> lab;
    std::string obstacle;
  };
  static std::map<std::string, Made> labs;
  const auto [entry, fresh] = labs.try_emplace(family);
  Made& made = entry->second;
  if (fresh) made.lab = Lab::Create(family, {}, {}, made.obstacle);
  family_ = family;
  lab_ = made.lab;
  if (!made.obstacle.empty()) GTEST_SKIP() << made.obstacle;
  ASSERT_NE(lab_, nullptr);
}

std::unique_ptr<Lab> LabTest::OwnLab(CaptureOptions capture, const kernel::KernelOptions& options) {
  std::string obstacle;
  return Lab::Create(family_, std::move(capture), options, obstacle);
}

}  // namespace sonde::kernel_test
