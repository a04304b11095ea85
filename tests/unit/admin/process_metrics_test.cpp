// SPDX-License-Identifier: Apache-2.0
#include "admin/process_metrics.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"

namespace sonde::admin {
namespace {

std::map<std::string, double> Read(const std::string& proc = "/proc/self") {
  std::map<std::string, double> values;
  for (const MetricFamily& family : ReadProcessMetrics(proc)) {
    EXPECT_EQ(family.samples.size(), 1U);
    values[family.name] = family.samples.at(0).value;
  }
  return values;
}

TEST(ProcessMetrics, OfThisProcess) {
  auto before = Read();
  EXPECT_GT(before["process_resident_memory_bytes"], 1 << 20);
  EXPECT_GT(before["process_virtual_memory_bytes"], before["process_resident_memory_bytes"]);
  EXPECT_GE(before["process_threads"], 1);
  EXPECT_NEAR(before["process_start_time_seconds"], static_cast<double>(std::time(nullptr)), 600);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur != RLIM_INFINITY) {
    EXPECT_EQ(before["process_max_fds"], static_cast<double>(limit.rlim_cur));
  }
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(Read()["process_open_fds"], before["process_open_fds"] + 1);
  close(fd);
}

TEST(ProcessMetrics, CpuTimeIsThatOfTheKernel) {
  volatile unsigned sink = 0;
  rusage usage{};
  do {
    for (unsigned i = 0; i < 1'000'000; ++i) sink = sink + i;
    getrusage(RUSAGE_SELF, &usage);
  } while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec < 50'000);
  const double seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  EXPECT_NEAR(Read()["process_cpu_seconds_total"], seconds, 0.1);
}

class FakeProc : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "sonde-proc-" + std::to_string(getpid());
    std::filesystem::create_directories(path_ + "/fd");
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/" + name) << text;
  }

  std::string path_;
};

TEST_F(FakeProc, NamesWithSpacesAndBrackets) {
  Write("stat",
        "7 (a ) b) S 1 7 7 0 -1 4 1 0 0 0 250 50 0 0 20 0 3 0 100 123456 10 184467 1 1 0 0 0 0\n");
  Write("limits", "Limit  Soft  Hard  Units\nMax open files            1024  4096  files\n");
  const auto values = Read(path_);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(values.at("process_cpu_seconds_total"), 300 / ticks);
  EXPECT_DOUBLE_EQ(values.at("process_threads"), 3);
  EXPECT_DOUBLE_EQ(values.at("process_virtual_memory_bytes"), 123456);
  EXPECT_DOUBLE_EQ(values.at("process_resident_memory_bytes"),
                   10.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(values.at("process_max_fds"), 1024);
}

TEST_F(FakeProc, WhatCannotBeReadIsLeftOut) {
  Write("stat", "7 (x) S 1\n");
  Write("limits", "Max open files            unlimited  unlimited  files\n");
  const auto values = Read(path_);
  EXPECT_EQ(values.count("process_cpu_seconds_total"), 0U);
  EXPECT_EQ(values.count("process_max_fds"), 0U);
  EXPECT_TRUE(Read("/nonexistent").empty());
}

}  // namespace
}  // namespace sonde::admin
