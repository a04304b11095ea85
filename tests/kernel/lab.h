// SPDX-License-Identifier: Apache-2.0
// The kernel side, loaded for one socket family, and children whose I/O it watches. Only processes
// that the lab forks are traced.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <source_location>
#include <string>

#include "kernel/kernel.h"
#include "log.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {

// For scripts, which run in a child: says where and why, and ends the child.
void Must(bool condition, std::source_location where = std::source_location::current());

class Lab {
 public:
  using Script = std::function<void()>;

  // Loads `family`; its word "" = why it cannot be here.
  static std::unique_ptr<Lab> Create(const std::string& family, CaptureOptions capture,
                                     const kernel::KernelOptions& options, std::string& obstacle);

  // A child that waits for Release; then runs `script` and exits with 0.
  class Child {
   public:
    Child(Lab& lab, const Script& script);
    ~Child();  // kills it if it still lives
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    uint32_t tgid() const { return static_cast<uint32_t>(pid_); }
    void Release();
    int Wait();  // as wait(2)

   private:
    pid_t pid_ = -1;
    int gate_ = -1;
    bool waited_ = false;
  };

  // Forks a child, traces it, lets it run `script` while this process does `beside`; returns what
  // was reported until the child's EXIT record, which comes last.
  Log Run(const Script& script, const Script& beside = {});
  // Polls until `done` or a time limit, which fails the case.
  void PollUntil(Log& log, const std::function<bool()>& done);
  // What is in the ring now.
  void Drain(Log& log);

  // sonde_events_dropped_total{reason}, since the lab was made.
  double Dropped(const std::string& reason) const;
  double QuietCalls() const;
  // The connection id that the family gives to a socket.
  ConnectionId Id(int fd) const;
  bool socket_table() const { return family_ == "sys_exit"; }
  kernel::Kernel& kernel() { return *kernel_; }

 private:
  explicit Lab(std::string family) : family_(std::move(family)) {}
  double Metric(const std::string& name, const MetricLabels& labels) const;

  std::string family_;
  MetricRegistry metrics_;
  std::unique_ptr<kernel::Kernel> kernel_;
};

// A case with a lab of one socket family. The lab is shared by the cases of one program run; OwnLab
// makes one with other options.
class LabTest : public testing::Test {
 protected:
  // Skips the case where the host cannot do it.
  void UseFamily(const std::string& family);
  std::unique_ptr<Lab> OwnLab(CaptureOptions capture, const kernel::KernelOptions& options = {});

  std::string family_;
  std::shared_ptr<Lab> lab_;
};

// Cases that are the same for every socket family.
class FamilyTest : public LabTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override { UseFamily(GetParam()); }
};

inline const std::string kFamilies[] = {"sock_length", "sys_exit"};
inline std::string FamilyName(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): gtest's instantiation is a macro
#define SONDE_FOR_EACH_FAMILY(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(kFamilies), FamilyName)

}  // namespace sonde::kernel_test
