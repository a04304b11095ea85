// SPDX-License-Identifier: Apache-2.0
// Code is assembled here as Go's compiler has it, less what the resolver does not look at; and the
// `go` commands of this machine are looked at, which are Go programs themselves.
#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <ios>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "support/go_image.h"
#include "unit/runtime/sound_plan.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

using sonde::testing::GoImage;
using ::testing::HasSubstr;

// Registers by the number that instructions have for them.
constexpr int kAx = 0;
constexpr int kCx = 1;
constexpr int kDx = 2;
constexpr int kDi = 7;
constexpr int kR8 = 8;
constexpr int kG = 14;

constexpr std::string_view kReturn("\xc3", 1);
constexpr std::string_view kCheckStack("\x49\x3b\x66\x10\x76\x06", 6);  // cmp rsp,[r14+16]; jbe
constexpr std::string_view kPush("\x55", 1);                            // push rbp
constexpr std::string_view kFrame("\x48\x83\xec\x48", 4);               // sub rsp,0x48

std::string Number(int32_t number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

// `opcode` with the operands `reg` and [base + offset], of 8 bytes.
std::string Field(uint8_t opcode, int reg, int base, int32_t offset) {
  std::string code;
  code += static_cast<char>(0x48 | reg >> 3 << 2 | base >> 3);
  code += static_cast<char>(opcode);
  code += static_cast<char>(0x80 | (reg & 7) << 3 | (base & 7));
  return code + Number(offset);
}
std::string Store(int base, int32_t offset, int reg) { return Field(0x89, reg, base, offset); }
std::string Load(int reg, int base, int32_t offset) { return Field(0x8b, reg, base, offset); }
std::string Compare(int base, int32_t offset, int reg) { return Field(0x39, reg, base, offset); }
std::string StoreZero(int base, int32_t offset) { return Field(0xc7, 0, base, offset) + Number(0); }
std::string IsZero(int base, int32_t offset) { return Field(0x83, 7, base, offset) + '\0'; }
std::string StoreDxToStack() { return {"\x48\x89\x54\x24\x08", 5}; }  // mov [rsp+8],rdx
std::string StoreToThread(int32_t offset) {                           // mov fs:[offset],r14
  return std::string("\x64\x4c\x89\x34\x25", 5) + Number(offset);
}

constexpr sonde_go_layout k120 = {-8, 152, SONDE_NOWHERE, 328, 0, 8, 64, 80, 56, 48, 192};
constexpr sonde_go_layout k122 = {-8, 152, 272, 312, 0, 8, 64, 80, 56, 48, 192};
constexpr sonde_go_layout k126 = {-8, 152, 280, 320, 0, 8, 72, 96, 64, 48, 184};

struct Program {
  sonde_go_layout at = k122;
  std::string version = "go1.22.3";
  std::string mcall = StoreToThread(-8);
  std::string ready = std::string(kCheckStack) + std::string(kPush);

  std::string Make() const {
    GoImage image({.version = version});
    image.Add("runtime.mcall", mcall + std::string(kReturn));
    image.Add("runtime.ready", ready + std::string(kReturn));
    image.Add("runtime.goroutineheader", Load(kDx, kAx, at.goid) + StoreDxToStack());
    image.Add("runtime.newproc1",
              (at.parent_goid == SONDE_NOWHERE
                   ? std::string()
                   : Load(kCx, kAx, at.goid) + Store(kDx, at.parent_goid, kCx)) +
                  Store(kDi, at.goid, kDx));
    image.Add("runtime.chanrecv", StoreZero(kAx, at.sudog_waitlink) + Store(kDx, at.waiting, kAx) +
                                      Store(kAx, at.sudog_goroutine, kDx) +
                                      Store(kR8, at.channel_receivers, kAx) +
                                      Store(kR8, at.channel_receivers + 8, kAx) +
                                      Compare(kDx, at.waiting, kAx) + StoreZero(kDx, at.waiting));
    image.Add("runtime.releaseSudog",
              IsZero(kAx, 24) + IsZero(kAx, at.sudog_next) + IsZero(kAx, at.sudog_next + 8) +
                  IsZero(kAx, at.sudog_waitlink) + IsZero(kAx, at.sudog_channel) + IsZero(kG, 136));
    return image.Make();
  }
  Result<RuntimePlan> Resolve() const {
    const auto elf = binary::Elf::FromBytes(Make());
    if (!elf.ok()) return elf.status();
    return kGo.resolve(**elf);
  }
};

std::vector<int32_t> Words(const sonde_go_layout& at) {
  return {
      at.g,          at.goid,           at.parent_goid,   at.waiting,          at.sudog_goroutine,
      at.sudog_next, at.sudog_waitlink, at.sudog_channel, at.channel_receivers};
}

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

TEST(Go, FieldsAreThoseOfTheVersion) {
  const auto plan = Program().Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "go1.22.3");
  EXPECT_EQ(plan->remark, "");
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_GO);
  EXPECT_EQ(plan->layout.base, 0);
  EXPECT_EQ(Words(plan->layout.go), Words(k122));
  const auto newest = Program{.at = k126, .version = "go1.26.8"}.Resolve();
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(Words(newest->layout.go), Words(k126));
}

TEST(Go, ReadyIsProbedBehindTheCheckOfTheStack) {
  const Program program;
  const auto plan = program.Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->points.size(), 1);
  const RuntimePoint& point = plan->points[0];
  EXPECT_EQ(point.where, "runtime.ready+0x6");
  EXPECT_EQ(program.Make().at(point.file_offset), kPush[0]);
  EXPECT_EQ(point.event, SONDE_RUNTIME_GO_READY);
  EXPECT_EQ(point.subject.from, SONDE_REGISTER_AX);
  EXPECT_EQ(point.subject.memory, 0);
  EXPECT_EQ(point.use, RuntimePointUse::kOptIn);
  EXPECT_FALSE(point.at_return);
}

TEST(Go, Until120ReadyIsProbedInTheCheck) {
  const auto plan = Program{.at = k120,
                            .version = "go1.20.14",
                            .ready = std::string(kCheckStack) + std::string(kFrame)}
                        .Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.go.parent_goid, SONDE_NOWHERE);
  EXPECT_EQ(plan->points.at(0).where, "runtime.ready+0x4");
}

TEST(Go, TheThreadsGoroutineIsWhereMcallPutsIt) {
  const auto with_libc = Program{.mcall = StoreToThread(-32)}.Resolve();
  ASSERT_TRUE(with_libc.ok()) << with_libc.status();
  EXPECT_EQ(with_libc->layout.go.g, -32);
  const std::string through_cx("\x64\x4c\x89\x31", 4);  // mov fs:[rcx],r14
  const auto pie =
      Program{.mcall = std::string("\x48\xc7\xc1", 3) + Number(-112) + through_cx}.Resolve();
  ASSERT_TRUE(pie.ok()) << pie.status();
  EXPECT_EQ(pie->layout.go.g, -112);
  EXPECT_THAT(
      Why(Program{.mcall = std::string("\x48\x8b\x0d", 3) + Number(64) + through_cx}.Resolve()),
      HasSubstr("library"));
  for (const int32_t offset : {0, 8, -3, -(1 << 24)}) {
    EXPECT_THAT(Why(Program{.mcall = StoreToThread(offset)}.Resolve()), HasSubstr("runtime.mcall"));
  }
}

TEST(Go, IsRefusedIfItsCodeContradictsItsVersion) {
  for (int32_t sonde_go_layout::* field :
       {&sonde_go_layout::goid, &sonde_go_layout::parent_goid, &sonde_go_layout::waiting,
        &sonde_go_layout::sudog_goroutine, &sonde_go_layout::sudog_next,
        &sonde_go_layout::sudog_waitlink, &sonde_go_layout::sudog_channel,
        &sonde_go_layout::channel_receivers}) {
    Program program;
    program.at.*field += 8;
    const auto plan = program.Resolve();
    ASSERT_FALSE(plan.ok());
    EXPECT_FALSE(absl::IsNotFound(plan.status()));
    EXPECT_THAT(Why(plan), HasSubstr("other fields than go1.22.3 has"));
  }
}

TEST(Go, OfAHiddenOrNewerVersionTheCodeTells) {
  for (const auto& at : {k120, k122, k126}) {
    const auto plan = Program{.at = at, .version = "hidden"}.Resolve();
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->version, "");
    EXPECT_EQ(Words(plan->layout.go), Words(at));
  }
  EXPECT_TRUE((Program{.at = k126, .version = "go1.29.1"}.Resolve().ok()));
  EXPECT_THAT(Why(Program{.at = k122, .version = "go1.29.1"}.Resolve()), HasSubstr("too new"));
}

TEST(Go, IsRefusedIfTooOldOrWithoutNames) {
  EXPECT_THAT(Why(Program{.version = "go1.17.13"}.Resolve()), HasSubstr("older than Go 1.18"));
  GoImage image;
  image.Add("main.main", kReturn);
  const auto elf = binary::Elf::FromBytes(image.Make());
  ASSERT_TRUE(elf.ok()) << elf.status();
  EXPECT_THAT(Why(kGo.resolve(**elf)), HasSubstr("have no names"));
}

TEST(Go, IsNotFoundInOtherPrograms) {
  const auto elf = testing::OpenFile("/proc/self/exe");
  ASSERT_NE(elf, nullptr);
  EXPECT_TRUE(absl::IsNotFound(kGo.resolve(*elf).status()));
}

TEST(Go, HostileFilesDoNoHarm) { testing::ExpectNoHarm(kGo, Program().Make()); }

// The `go` command of PATH, and those of other toolchains that were once used here.
std::vector<std::string> Commands() {
  std::vector<std::string> commands;
  std::error_code error;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto command = std::filesystem::canonical(folder + "/go", error);
    if (!error && std::filesystem::is_regular_file(command, error)) commands.push_back(command);
  }
  const char* home = std::getenv("HOME");
  const std::string modules = std::string(home == nullptr ? "" : home) + "/go/pkg/mod/golang.org";
  for (const auto& entry : std::filesystem::directory_iterator(modules, error)) {
    const auto command = entry.path() / "bin/go";
    if (std::filesystem::is_regular_file(command, error)) commands.push_back(command);
  }
  return commands;
}

TEST(Go, RealProgramsAreResolved) {
  const auto commands = Commands();
  if (commands.empty()) GTEST_SKIP() << "no go in PATH";
  for (const auto& command : commands) {
    const auto elf = testing::OpenFile(command);
    if (elf == nullptr) continue;  // a script that calls another
    const auto plan = kGo.resolve(*elf);
    if (!plan.ok()) {
      EXPECT_TRUE(absl::IsNotFound(plan.status()) ||
                  plan.status().message().find("older than Go 1.18") != std::string::npos)
          << command << ": " << plan.status();
      continue;
    }
    EXPECT_EQ(plan->layout.go.g, -8) << command;
    EXPECT_TRUE(plan->version.starts_with("go1.")) << command;
    ASSERT_EQ(plan->points.size(), 1) << command;
    testing::ExpectSoundPoint(command, plan->points[0]);
  }
}

// Which fields a version has, the code tells as well as the version does: none fits two.
TEST(Go, RealProgramsAreResolvedWithoutTheirVersion) {
  const auto commands = Commands();
  if (commands.empty()) GTEST_SKIP() << "no go in PATH";
  for (const auto& command : commands) {
    std::ifstream file(command, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto known = binary::Elf::FromBytes(bytes);
    const auto expected = known.ok() ? kGo.resolve(**known) : known.status();
    if (!expected.ok()) continue;
    constexpr std::string_view kMark("\xff Go buildinf:", 14);
    const auto at = bytes.find(kMark);
    ASSERT_NE(at, std::string::npos);
    bytes.at(at + 33) = 'x';
    const auto elf = binary::Elf::FromBytes(std::move(bytes));
    ASSERT_TRUE(elf.ok()) << command;
    const auto plan = kGo.resolve(**elf);
    ASSERT_TRUE(plan.ok()) << command << ": " << plan.status();
    EXPECT_EQ(plan->version, "") << command;
    EXPECT_EQ(Words(plan->layout.go), Words(expected->layout.go)) << command;
  }
}

}  // namespace
}  // namespace sonde::probe
