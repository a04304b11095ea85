// SPDX-License-Identifier: Apache-2.0
// The queue of Python's thread pools, in the files of this machine: SONDE_PYTHONS names more
// interpreters, separated by colons.
#include <absl/status/status.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/probe/runtime.h"
#include "unit/runtime/live_process.h"
#include "unit/runtime/sound_plan.h"

namespace sonde::probe {
namespace {

using sonde::testing::LiveProcess;
using sonde::testing::OpenFile;

// Those of the interpreters that have the module in a file of its own.
std::vector<std::string> Files() {
  std::vector<std::string> pythons = {"/usr/bin/python3", sonde::testing::OnPath("python3")};
  const char* more = std::getenv("SONDE_PYTHONS");
  std::istringstream list(more == nullptr ? "" : more);
  for (std::string python; std::getline(list, python, ':');) pythons.push_back(python);
  std::set<std::string> files;
  for (const std::string& python : pythons) {
    if (python.empty() || access(python.c_str(), X_OK) != 0) continue;
    const LiveProcess process({python, "-c",
                               "import _queue, os, time\n"
                               "os.write(1, b'1\\n')\n"
                               "time.sleep(60)"},
                              false);
    if (process.Numbers().empty()) continue;
    for (const auto& mapping : process.Mappings()) {
      if (std::filesystem::path(mapping.path).filename().string().starts_with("_queue.")) {
        files.insert(mapping.path);
      }
    }
  }
  return {files.begin(), files.end()};
}

TEST(CPythonQueue, EntersAndLeavesWhereSaid) {
  const auto files = Files();
  if (files.empty()) GTEST_SKIP() << "no Python with a _queue of its own";
  for (const std::string& path : files) {
    SCOPED_TRACE(path);
    const auto elf = OpenFile(path);
    ASSERT_NE(elf, nullptr);
    const auto plan = kCPythonQueue.resolve(*elf);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_NONE);
    ASSERT_EQ(plan->points.size(), 3U);
    EXPECT_EQ(plan->points[0].event, SONDE_RUNTIME_PYTHON_PUT);
    EXPECT_FALSE(plan->points[0].at_return);
    for (const auto& point : plan->points) {
      sonde::testing::ExpectSoundPoint(path, point);
      EXPECT_EQ(point.at_return, point.event == SONDE_RUNTIME_PYTHON_TAKEN);
      // Where there are symbols, they say the same.
      std::string name = "_queue_SimpleQueue_" + point.where.substr(point.where.find('.') + 1);
      name.resize(name.find('+'));
      const auto symbol = elf->Find(name);
      if (!symbol) continue;
      const auto function = elf->CodeOffset(symbol->address);
      ASSERT_TRUE(function.has_value());
      EXPECT_GE(point.file_offset, *function) << point.where;
      EXPECT_LE(point.file_offset, *function + 16) << point.where;
    }
  }
}

TEST(CPythonQueue, HostileFilesDoNoHarm) {
  const auto files = Files();
  if (files.empty()) GTEST_SKIP() << "no Python with a _queue of its own";
  std::ifstream file(files.front(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  sonde::testing::ExpectNoHarm(kCPythonQueue, bytes);
}

TEST(CPythonQueue, IsNotInOtherPrograms) {
  for (const char* path : {"/usr/bin/python3", "/bin/sh", "/proc/self/exe"}) {
    const auto elf = OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_TRUE(absl::IsNotFound(kCPythonQueue.resolve(*elf).status())) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
