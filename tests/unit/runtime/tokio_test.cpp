// SPDX-License-Identifier: Apache-2.0
// Code is assembled here as rustc has it, less what the resolver does not look at; and a program is
// built with cargo.
#include <absl/status/status.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "support/elf_image.h"
#include "unit/runtime/sound_plan.h"
#include "unit/tls/real_file.h"

namespace sonde::probe {
namespace {

using sonde::testing::ElfImage;
using ::testing::HasSubstr;

constexpr std::string_view kContext =
    "_ZN5tokio7runtime7context7CONTEXT29_$u7b$$u7b$constant$u7d$$u7d$23__RUST_STD_INTERNAL_VAL17hE";
constexpr std::string_view kSet = "_ZN5tokio7runtime7context19set_current_task_id17h88E";
constexpr std::string_view kDrop =
    "_ZN81_$LT$tokio..runtime..task..core..TaskIdGuard$u20$as$u20$core..ops..drop..Drop$GT$4drop";
constexpr std::string_view kBind = "_ZN5tokio7runtime4task4list19OwnedTasks$LT$S$GT$10bind_innerE";
constexpr std::string_view kBindNew =
    "_ZN5tokio7runtime9scheduler12multi_thread6handle6Handle13bind_new_task17h03E";
constexpr std::string_view kWake = "_ZN5tokio7runtime4task5waker11wake_by_ref17h49E";
constexpr std::string_view kWakeByValue = "_ZN5tokio7runtime4task5waker11wake_by_val17hf2E";

#define CODE(text) std::string(text, sizeof(text) - 1)

// mov rbx,rdi; mov rax,fs:[0]; lea rax,[rax-0xd8]; mov [rax+0x30],rbx; ret
const std::string kSetter = CODE(
    "\x48\x89\xfb\x64\x48\x8b\x04\x25\0\0\0\0\x48\x8d\x80\x28\xff\xff\xff\x48\x89\x58\x30\xc3");
// The same of two words: mov [rax+0x20],rdi; mov [rax+0x28],rsi
const std::string kSetterOfTwo = CODE(
    "\x64\x48\x8b\x04\x25\0\0\0\0\x48\x8d\x80\x28\xff\xff\xff\x48\x89\x78\x20\x48\x89\x70\x28\xc3");
// mov fs:[-0xa8],rdi; ret
const std::string kSetterDirect = CODE("\x64\x48\x89\x3c\x25\x58\xff\xff\xff\xc3");
// mov rax,rdi; call; mov [rax+0x30],rdi; ret: through a function that finds the thread-locals
const std::string kSetterOfLibrary = CODE("\x48\x89\xf8\xe8\0\0\0\0\x48\x89\x78\x30\xc3");

// push rbp; mov rbx,rsi; mov [rsi+0x18],rax; mov rax,[rsi+0x10]; mov rax,[rax+0x48];
// mov r13,[rsi+rax]; mov esi,1; jne; ret
const std::string kBinder = CODE(
    "\x55\x48\x89\xf3\x48\x89\x46\x18\x48\x8b\x46\x10\x48\x8b\x40\x48\x4c\x8b\x2c\x06\xbe\1\0\0\0"
    "\x75\0\xc3");
// call; mov r12,rax; mov [rax+0x18],rcx; mov rdx,[rax+0x10]; mov rdx,[rdx+0x50]; mov r13,[rdx+rax];
// call; ret: the same, inlined where the task is made, in a tokio that has another field more
const std::string kInlinedBinder = CODE(
    "\xe8\0\0\0\0\x49\x89\xc4\x48\x89\x48\x18\x48\x8b\x50\x10\x48\x8b\x52\x50\x4c\x8b\x2c\x02\xe8\0"
    "\0\0\0\xc3");
// push rbp; mov [rsi+0x18],rax; mov rax,[rsi+0x10]; jne; ret
const std::string kBinderOfOne = CODE("\x55\x48\x89\x46\x18\x48\x8b\x46\x10\x75\0\xc3");
// sub rsp,24; mov rax,[rdi]; test al,2; jne; ret
const std::string kWaker = CODE("\x48\x83\xec\x18\x48\x8b\x07\xa8\x02\x75\x00\xc3");
const std::string kPusher = CODE("\x53\xc3");             // push rbx; ret
const std::string kMover = CODE("\x48\x89\xf7\x53\xc3");  // mov rdi,rsi; push rbx; ret

struct Program {
  std::multimap<std::string_view, std::string> functions = {
      {kSet, kSetter}, {kBind, kBinder}, {kWake, kWaker}, {kWakeByValue, kPusher}};
  uint64_t contexts = 1;
  uint64_t thread_bytes = 0xd8;
  std::string_view rodata = "/registry/src/crates.io-1/tokio-1.54.1/src/task/mod.rs";

  std::string Make() const {
    ElfImage elf;
    std::string text;
    for (const auto& [name, code] : functions) text += code;
    const uint64_t start = elf.Append(".text", text);
    uint64_t at = start;
    for (const auto& [name, code] : functions) {
      elf.AddSymbol(name, at, code.size());
      at += code.size();
    }
    for (uint64_t i = 0; i < contexts; ++i) elf.AddSymbol(kContext, i * 0x40, 0x40, STT_TLS);
    elf.SetThreadLocals(thread_bytes, 8);
    elf.Append(".rodata", rodata);
    elf.Append(".comment", "rustc version 1.95.0");
    return elf.Make();
  }
  Result<RuntimePlan> Resolve() const {
    const auto elf = binary::Elf::FromBytes(Make());
    if (!elf.ok()) return elf.status();
    return kTokio.resolve(**elf);
  }
  Program With(std::string_view name, const std::string& code) const {
    Program other = *this;
    other.functions.erase(name);
    other.functions.emplace(name, code);
    return other;
  }
  Program Without(std::string_view name) const {
    Program other = *this;
    other.functions.erase(name);
    return other;
  }
};

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

TEST(Tokio, LayoutIsReadFromItsCode) {
  const auto plan = Program().Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "1.54.1");
  EXPECT_EQ(plan->remark, "");
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_TOKIO);
  EXPECT_EQ(plan->layout.tokio.task, -0xd8 + 0x30);
  EXPECT_EQ(plan->layout.tokio.vtable, 0x10);
  EXPECT_EQ(plan->layout.tokio.id_offset, 0x48);
}

TEST(Tokio, SettersOfAllShapesAreRead) {
  const auto two = Program().With(kSet, kSetterOfTwo).Resolve();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->layout.tokio.task, -0xd8 + 0x28);
  const auto inlined = Program().Without(kSet).With(kDrop, kSetterDirect).Resolve();
  ASSERT_TRUE(inlined.ok()) << inlined.status();
  EXPECT_EQ(inlined->layout.tokio.task, -0xa8);
}

TEST(Tokio, PointsAreWhereTheArgumentIsInItsRegister) {
  const Program program;
  const auto plan = program.Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->points.size(), 3);
  const RuntimePoint& born = plan->points[0];
  EXPECT_EQ(born.event, SONDE_RUNTIME_TOKIO_BORN);
  EXPECT_EQ(born.subject.from, SONDE_REGISTER_BX);
  EXPECT_EQ(born.where, "tokio OwnedTasks::bind+0x19");
  EXPECT_EQ(program.Make().at(born.file_offset), '\x75');
  const RuntimePoint& woken = plan->points[1];
  EXPECT_EQ(woken.event, SONDE_RUNTIME_TOKIO_WOKEN);
  EXPECT_EQ(woken.subject.from, SONDE_REGISTER_DI);
  EXPECT_EQ(woken.where, "tokio wake_by_ref+0x9");
  EXPECT_EQ(program.Make().at(woken.file_offset), '\x75');
  EXPECT_EQ(plan->points[2].event, SONDE_RUNTIME_TOKIO_WOKEN_BY_VALUE);
  EXPECT_EQ(plan->points[2].subject.from, SONDE_REGISTER_DI);
  for (const auto& point : plan->points) {
    EXPECT_EQ(point.use, RuntimePointUse::kAlways);
    EXPECT_FALSE(point.at_return);
    EXPECT_EQ(point.subject.memory, 0);
  }
}

TEST(Tokio, WhatBlocksIsSeenWhereItIsSpawned) {
  const auto plan =
      Program()
          .With("_ZN5tokio7runtime8blocking4pool7Spawner10spawn_task17h5de0945681c4d8ecE", kPusher)
          .Resolve();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->points.size(), 4);
  const RuntimePoint& blocks = plan->points[3];
  EXPECT_EQ(blocks.event, SONDE_RUNTIME_TOKIO_BLOCKS);
  EXPECT_EQ(blocks.subject.from, SONDE_REGISTER_SI);
  EXPECT_EQ(blocks.where, "tokio spawn_blocking+0x0");
  EXPECT_EQ(blocks.use, RuntimePointUse::kAlways);
}

TEST(Tokio, TasksAreSeenWhereverBindIs) {
  Program program;
  program.functions.emplace(kBind, kBinder);
  const auto both = program.Resolve();
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->points.size(), 4);
  const auto inlined = Program().Without(kBind).With(kBindNew, kInlinedBinder).Resolve();
  ASSERT_TRUE(inlined.ok()) << inlined.status();
  EXPECT_EQ(inlined->layout.tokio.id_offset, 0x50);
  EXPECT_EQ(inlined->points[0].subject.from, SONDE_REGISTER_AX);
  EXPECT_EQ(inlined->points[0].where, "tokio OwnedTasks::bind+0x18");
  EXPECT_THAT(Why(program.With(kBindNew, kInlinedBinder).Resolve()), HasSubstr("several places"));
}

TEST(Tokio, ThatCannotBeReadSaysWhy) {
  const Program program;
  EXPECT_THAT(Why(program.With(kSet, kSetterOfLibrary).Resolve()), HasSubstr("a library"));
  EXPECT_THAT(Why(program.Without(kSet).Resolve()), HasSubstr("current task"));
  EXPECT_THAT(Why(program.With(kBind, kBinderOfOne).Resolve()),
              HasSubstr("1.54.1 does not tell where a task has its id"));
  EXPECT_THAT(Why(program.Without(kBind).Resolve()), HasSubstr("where a task has its id"));
  EXPECT_THAT(Why(program.With(kWake, kMover).Resolve()), HasSubstr("no instruction"));
  EXPECT_THAT(Why(Program{.contexts = 0}.Resolve()), HasSubstr("has no symbol"));
  EXPECT_THAT(Why(Program{.contexts = 2}.Resolve()), HasSubstr("several versions"));
  // What the code says is not in the variable.
  EXPECT_THAT(Why(Program{.thread_bytes = 0x80}.Resolve()), HasSubstr("current task"));
  EXPECT_THAT(Why(Program{.functions = {{"main", kPusher}}}.Resolve()),
              HasSubstr("tokio 1.54.1 can be read only where the program keeps its symbols"));
}

TEST(Tokio, IsNotFoundInOtherPrograms) {
  const Program other{
      .functions = {{"main", kPusher}}, .contexts = 0, .rodata = "/tokio-util-0.7.1/src"};
  EXPECT_TRUE(absl::IsNotFound(other.Resolve().status()));
  const auto elf = testing::OpenFile("/proc/self/exe");
  ASSERT_NE(elf, nullptr);
  EXPECT_TRUE(absl::IsNotFound(kTokio.resolve(*elf).status()));
}

TEST(Tokio, HostileFilesDoNoHarm) { testing::ExpectNoHarm(kTokio, Program().Make()); }

// With cargo as it is set up here; the program stays where tests run, so that the next run is
// quick.
TEST(Tokio, RealProgramIsResolved) {
  const std::filesystem::path folder = std::filesystem::current_path() / "tokio_program";
  std::filesystem::create_directories(folder / "src");
  std::ofstream(folder / "Cargo.toml")
      << "[package]\nname = \"tokio_program\"\nedition = \"2021\"\n"
         "[dependencies]\ntokio = { version = \"1\", features = "
         "[\"rt-multi-thread\"] }\n[workspace]\n";
  std::ofstream(folder / "src/main.rs")
      << "fn main() { let r = tokio::runtime::Runtime::new().unwrap(); "
         "r.block_on(async { tokio::spawn(async {}).await.unwrap() }) }\n";
  const std::string build =
      "cd '" + folder.string() + "' && timeout 100 cargo build -q --release 2> build.log";
  // NOLINTNEXTLINE(concurrency-mt-unsafe,cert-env33-c): one thread, a command of our own
  if (std::system(build.c_str()) != 0) {
    GTEST_SKIP() << "cargo did not build " << folder << ", see build.log there";
  }
  const std::string program = folder / "target/release/tokio_program";
  const auto elf = testing::OpenFile(program);
  ASSERT_NE(elf, nullptr);
  const auto plan = kTokio.resolve(*elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->version.starts_with("1.")) << plan->version;
  EXPECT_LT(plan->layout.tokio.task, 0);
  EXPECT_EQ(plan->layout.tokio.vtable, 0x10);
  EXPECT_EQ(plan->layout.tokio.id_offset, 0x48);
  EXPECT_GE(plan->points.size(), 3);
  for (const auto& point : plan->points) testing::ExpectSoundPoint(program, point);
}

}  // namespace
}  // namespace sonde::probe
