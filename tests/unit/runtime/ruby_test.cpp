// SPDX-License-Identifier: Apache-2.0
// The Ruby of this machine.
#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/probe/runtime.h"
#include "unit/runtime/live_process.h"
#include "unit/runtime/sound_plan.h"

namespace sonde::probe {
namespace {

using sonde::testing::ExpectNoHarm;
using sonde::testing::OpenFile;

std::string Library() {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/usr/lib/x86_64-linux-gnu", error)) {
    if (entry.path().filename().string().starts_with("libruby-") && entry.is_regular_file())
      return entry.path();
  }
  return {};
}

TEST(RubyTest, IsKnownByWhatItExports) {
  const std::string path = Library();
  if (path.empty()) GTEST_SKIP() << "no libruby here";
  const auto elf = OpenFile(path);
  ASSERT_NE(elf, nullptr);
  const auto plan = kRuby.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_RUBY);
  EXPECT_TRUE(plan->points.empty());
  // libruby-3.1.so.3.1.2
  EXPECT_EQ(path.substr(path.find(".so.") + 4), plan->version);
}

TEST(RubyTest, OthersAreNone) {
  const auto elf = OpenFile("/proc/self/exe");
  ASSERT_NE(elf, nullptr);
  EXPECT_EQ(kRuby.resolve(*elf).status().code(), absl::StatusCode::kNotFound);
}

TEST(RubyTest, HostileFiles) {
  const std::string path = Library();
  if (path.empty()) GTEST_SKIP() << "no libruby here";
  std::ifstream file(path, std::ios::binary);
  ExpectNoHarm(kRuby, std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace
}  // namespace sonde::probe
