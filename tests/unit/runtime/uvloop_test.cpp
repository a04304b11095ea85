// SPDX-License-Identifier: Apache-2.0
// uvloop in the files of this machine: SONDE_UVLOOPS names more, separated by colons.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/runtime.h"
#include "unit/runtime/live_process.h"
#include "unit/runtime/sound_plan.h"

namespace sonde::probe {
namespace {

using sonde::testing::OpenFile;

std::vector<std::string> Files() {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/usr/lib/python3/dist-packages/uvloop", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("loop.") && name.ends_with(".so")) files.push_back(entry.path());
  }
  const char* more = std::getenv("SONDE_UVLOOPS");
  std::istringstream list(more == nullptr ? "" : more);
  for (std::string file; std::getline(list, file, ':');) files.push_back(file);
  return files;
}

TEST(Uvloop, BytesAreLeftWhereSaid) {
  const auto files = Files();
  if (files.empty()) GTEST_SKIP() << "no uvloop (python3-uvloop)";
  for (const std::string& path : files) {
    SCOPED_TRACE(path);
    const auto elf = OpenFile(path);
    ASSERT_NE(elf, nullptr);
    const auto plan = kUvloop.resolve(*elf);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_EQ(plan->points.size(), 2U);
    // Where there are symbols, they say the same; the numbers are Cython's.
    const char* const names[] = {"__pyx_pw_6uvloop_4loop_8UVStream_5write",
                                 "__pyx_pw_6uvloop_4loop_8UVStream_7writelines"};
    for (size_t i = 0; i < 2; ++i) {
      const RuntimePoint& point = plan->points[i];
      sonde::testing::ExpectSoundPoint(path, point);
      EXPECT_EQ(point.event, SONDE_RUNTIME_PYTHON_LEAVES);
      EXPECT_EQ(point.subject.from, SONDE_REGISTER_DI);
      const auto symbol = elf->Find(names[i]);
      if (!symbol) continue;
      const auto function = elf->CodeOffset(symbol->address);
      ASSERT_TRUE(function.has_value());
      EXPECT_GE(point.file_offset, *function) << point.where;
      EXPECT_LE(point.file_offset, *function + 16) << point.where;
    }
  }
}

TEST(Uvloop, HostileFilesDoNoHarm) {
  const auto files = Files();
  if (files.empty()) GTEST_SKIP() << "no uvloop (python3-uvloop)";
  std::ifstream file(files.front(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  sonde::testing::ExpectNoHarm(kUvloop, bytes);
}

TEST(Uvloop, IsNotInOtherPrograms) {
  for (const char* path : {"/usr/bin/python3", "/bin/sh", "/proc/self/exe"}) {
    const auto elf = OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_TRUE(absl::IsNotFound(kUvloop.resolve(*elf).status())) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
