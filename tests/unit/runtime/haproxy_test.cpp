// SPDX-License-Identifier: Apache-2.0
// The haproxy of this machine, and code assembled here as compilers have it, less what the resolver
// does not look at. SONDE_HAPROXIES names more programs, separated by colons.
#include <absl/status/status.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "support/elf_image.h"
#include "unit/runtime/live_process.h"
#include "unit/runtime/sound_plan.h"

namespace sonde::probe {
namespace {

using sonde::testing::ElfImage;
using sonde::testing::ExpectNoHarm;
using sonde::testing::OpenFile;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kReal[] = "/usr/sbin/haproxy";
constexpr std::string_view kWake = "__tasklet_wakeup_on";
constexpr std::string_view kWakeHere = "__tasklet_wakeup_here";
constexpr std::string_view kScheduler = "run_tasks_from_lists";

#define CODE(text) std::string(text, sizeof(text) - 1)

// mov rax,rdi; mov rdx,fs:[-0x40]; cmp [rdx+0x20],rax; je; ret
const std::string kCompares =
    CODE("\x48\x89\xf8\x64\x48\x8b\x14\x25\xc0\xff\xff\xff\x48\x39\x42\x20\x74\0\xc3");
// cmp rdi,[rdx+0x20]; ret
const std::string kComparesOtherwise = CODE("\x48\x3b\x7a\x20\xc3");
// mov rax,rdi; cmp [rdx+0x20],eax; ret
const std::string kComparesHalf = CODE("\x48\x89\xf8\x39\x42\x20\xc3");
// cmp [rdx+0x20],rdi; cmp rdi,[rdx+0x28]; ret
const std::string kComparesTwo = CODE("\x48\x39\x7a\x20\x48\x3b\x7a\x28\xc3");
// mov [rax+0x20],rcx; mov qword [rax+0x20],0; ret
const std::string kNotes = CODE("\x48\x89\x48\x20\x48\xc7\x40\x20\0\0\0\0\xc3");
// mov [rax+0x20],rcx; ret
const std::string kNeverClears = CODE("\x48\x89\x48\x20\xc3");

struct Program {
  std::map<std::string_view, std::string> functions = {{kWake, kCompares}, {kScheduler, kNotes}};
  std::string_view variable = "th_ctx";
  uint64_t variable_bytes = 8;
  std::string_view rodata{"HAPROXY_LOCALPEER\0", 18};

  Result<RuntimePlan> Resolve() const {
    ElfImage image;
    std::string text;
    for (const auto& [name, code] : functions) text += code;
    uint64_t at = image.Append(".text", text);
    for (const auto& [name, code] : functions) {
      image.AddSymbol(name, at, code.size());
      at += code.size();
    }
    image.AddSymbol(variable, 0x10, variable_bytes, STT_TLS);
    image.SetThreadLocals(0x4c, 16);
    image.Append(".rodata", rodata);
    image.Append(".data", "data");
    const auto elf = binary::Elf::FromBytes(image.Make());
    if (!elf.ok()) return elf.status();
    return kHaproxy.resolve(**elf);
  }
  Program With(std::string_view name, const std::string& code) const {
    Program other = *this;
    other.functions[name] = code;
    return other;
  }
  Program Without(std::string_view name) const {
    Program other = *this;
    other.functions.erase(name);
    return other;
  }
};

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

void ExpectLayout(const Result<RuntimePlan>& plan) {
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_HAPROXY);
  EXPECT_EQ(plan->layout.base, 0U);
  EXPECT_EQ(plan->layout.haproxy.thread, -0x50 + 0x10);
  EXPECT_EQ(plan->layout.haproxy.current, 0x20);
  EXPECT_TRUE(plan->points.empty());
}

TEST(Haproxy, LayoutIsReadFromItsCode) {
  ExpectLayout(Program().Resolve());
  ExpectLayout(Program().With(kWake, kComparesOtherwise).Resolve());
  Program old;
  old.variable = "sched";
  ExpectLayout(old.Resolve());
  // From 3.5 on another function wakes the tasklets of this thread.
  ExpectLayout(Program().With(kWake, "\xc3").With(kWakeHere, kCompares).Resolve());
}

TEST(Haproxy, ThatIsNotUnderstoodSaysWhy) {
  EXPECT_THAT(Why(Program().Without(kWake).Resolve()), HasSubstr("does not show where"));
  EXPECT_THAT(Why(Program().With(kWake, kComparesHalf).Resolve()), HasSubstr("does not show"));
  EXPECT_THAT(Why(Program().With(kWake, kComparesTwo).Resolve()), HasSubstr("does not show"));
  EXPECT_THAT(Why(Program().With(kScheduler, kNeverClears).Resolve()),
              HasSubstr("contradicts itself"));
  EXPECT_THAT(Why(Program().Without(kScheduler).Resolve()), HasSubstr("exports no symbols"));
  Program other;
  other.variable = "th_ctx_of_another";
  EXPECT_THAT(Why(other.Resolve()), HasSubstr("older than 2.4"));
  other = {};
  other.variable_bytes = 16;
  EXPECT_THAT(Why(other.Resolve()), HasSubstr("older than 2.4"));
}

TEST(Haproxy, IsNotInOtherPrograms) {
  Program other = Program().Without(kScheduler);
  other.rodata = "x";
  EXPECT_TRUE(absl::IsNotFound(other.Resolve().status()));
  for (const char* path : {"/usr/bin/python3", "/bin/sh", "/usr/sbin/nginx"}) {
    const auto elf = OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_TRUE(absl::IsNotFound(kHaproxy.resolve(*elf).status())) << path;
  }
}

void ExpectLayoutOf(const std::string& path) {
  SCOPED_TRACE(path);
  const auto elf = OpenFile(path);
  ASSERT_NE(elf, nullptr);
  const auto plan = kHaproxy.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_HAPROXY);
  EXPECT_LT(plan->layout.haproxy.thread, 0);
  EXPECT_GT(plan->layout.haproxy.current, 0);
  EXPECT_EQ(plan->layout.haproxy.current % 8, 0);
  EXPECT_FALSE(plan->version.empty());
  EXPECT_EQ(plan->remark, "");
  std::cout << path << ": " << plan->version << " thread " << plan->layout.haproxy.thread
            << " current " << plan->layout.haproxy.current << '\n';
}

TEST(Haproxy, OfThisMachineIsUnderstood) {
  const auto elf = OpenFile(kReal);
  if (elf == nullptr) GTEST_SKIP() << "no " << kReal;
  ExpectLayoutOf(kReal);
  const auto plan = kHaproxy.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  if (!plan->version.starts_with("2.6.")) return;
  // include/haproxy/tinfo-t.h of 2.6: two roots of trees, then this.
  EXPECT_EQ(plan->layout.haproxy.current, 32);
}

TEST(Haproxy, OtherVersionsAreUnderstood) {
  const char* programs = std::getenv("SONDE_HAPROXIES");
  if (programs == nullptr) GTEST_SKIP() << "SONDE_HAPROXIES names no programs";
  std::istringstream list(programs);
  for (std::string path; std::getline(list, path, ':');) ExpectLayoutOf(path);
}

TEST(Haproxy, DamagedFilesDoNoHarm) {
  std::ifstream file(kReal, std::ios::binary);
  if (!file) GTEST_SKIP() << "no " << kReal;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  ExpectNoHarm(kHaproxy, bytes);
}

}  // namespace
}  // namespace sonde::probe
