// SPDX-License-Identifier: Apache-2.0
// The node of this machine is started and stopped where it is to be probed; then what the layout
// leads to is compared with what its program says. SONDE_NODES names more, separated by colons.
#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill
#include <sys/ptrace.h>
#include <sys/user.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"
#include "support/elf_image.h"
#include "unit/runtime/live_process.h"

namespace sonde::probe {
namespace {

using sonde::testing::ElfImage;
using sonde::testing::LiveProcess;
using sonde::testing::OpenFile;
using ::testing::HasSubstr;

// In a timer, a request, and what follows a promise: execution id, trigger id; then it stops.
constexpr char kReports[] = R"(
const hooks = require('async_hooks'), fs = require('fs'), http = require('http');
function report() {
  fs.writeSync(1, `${hooks.executionAsyncId()} ${hooks.triggerAsyncId()}\n`);
  process.kill(process.pid, 'SIGSTOP');
}
setTimeout(() => {
  report();
  const server = http.createServer(async (request, response) => {
    report();
    hooks.createHook({ init() {} }).enable();
    await null;
    report();
    response.end();
  });
  server.listen(0, '127.0.0.1', () => http.get({ port: server.address().port }));
}, 1);
)";
constexpr int kReportCount = 3;

// Runs until the point is hit for the first time, and gives what is in rdi there.
std::optional<uint64_t> SubjectOf(const LiveProcess& process, const std::string& path,
                                  const RuntimePoint& point) {
  if (process.WaitUntilStopped() != SIGTRAP) return std::nullopt;
  const uint64_t at = CodeInProcess(process.Mappings(), path, point.file_offset);
  if (at == 0) return std::nullopt;
  constexpr uint8_t kInt3 = 0xcc;
  const auto pid = process.pid();
  const auto code = process.Read<uint8_t>(at);
  if (!process.Write(at, kInt3)) return std::nullopt;
  if (ptrace(PTRACE_CONT, pid, nullptr, nullptr) != 0) return std::nullopt;
  if (process.WaitUntilStopped() != SIGTRAP) return std::nullopt;
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0) return std::nullopt;
  EXPECT_EQ(registers.rip, at + 1);
  registers.rip = at;
  process.Write(at, code);
  ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
  ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  return registers.rdi;
}

void ExpectIdsOf(const std::string& node) {
  SCOPED_TRACE(node);
  const auto elf = OpenFile(node);
  ASSERT_NE(elf, nullptr);
  const auto plan = kNode.resolve(*elf);
  if (absl::IsNotFound(plan.status())) GTEST_SKIP() << node << " has it in a library";
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->version, ::testing::StartsWith("v"));
  EXPECT_EQ(plan->layout.kind, SONDE_RUNTIME_NODE);
  // Where the ids are met, ways into a turn that no bytes began, and what nghttp2 is given.
  EXPECT_EQ(plan->remark, "");
  std::map<sonde_runtime_event, int> events;
  for (const RuntimePoint& point : plan->points) ++events[point.event];
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_HOOKS], 1);
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_TURN], 11);
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_READS], 1);
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_FRAME], 1);
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_STREAM], 2);
  EXPECT_GE(events[SONDE_RUNTIME_NODE_CALLS], 1);
  EXPECT_EQ(events[SONDE_RUNTIME_NODE_ANSWERS], events[SONDE_RUNTIME_NODE_CALLS]);
  const RuntimePoint& point = plan->points.front();
  EXPECT_EQ(point.event, SONDE_RUNTIME_NODE_HOOKS);
  EXPECT_EQ(point.use, RuntimePointUse::kOnce);
  EXPECT_FALSE(point.at_return);
  EXPECT_EQ(point.subject.from, SONDE_REGISTER_DI);

  const LiveProcess process({node, "-e", kReports}, true);
  const auto hooks = SubjectOf(process, node, point);
  if (!hooks) GTEST_SKIP() << "a started process cannot be traced here";
  for (int i = 0; i < kReportCount; ++i) {
    const auto said = process.Numbers();
    ASSERT_EQ(said.size(), 2U);
    ASSERT_EQ(process.WaitUntilStopped(), SIGSTOP);
    const auto ids =
        process.Read<uint64_t>(*hooks + static_cast<uint64_t>(plan->layout.node.id_fields));
    EXPECT_EQ(process.Read<double>(ids), static_cast<double>(said[0]));
    EXPECT_EQ(process.Read<double>(ids + 8), static_cast<double>(said[1]));
    EXPECT_GE(process.Read<double>(ids + 16), static_cast<double>(said[0]));  // the counter
    kill(process.pid(), SIGCONT);
  }
  ::testing::Test::RecordProperty(plan->version, node);
}

TEST(Node, IdsOfTheOneOnPathAreFound) {
  const std::string node = sonde::testing::OnPath("node");
  if (node.empty()) GTEST_SKIP() << "no node on PATH";
  ExpectIdsOf(node);
}

TEST(Node, IdsOfOtherVersionsAreFound) {
  const char* nodes = std::getenv("SONDE_NODES");
  if (nodes == nullptr) GTEST_SKIP() << "SONDE_NODES names no programs";
  std::istringstream list(nodes);
  for (std::string node; std::getline(list, node, ':');) ExpectIdsOf(node);
}

class Program {
 public:
  Program& Push(std::string_view code, const char* name) {
    image_.Append(".text", code);
    image_.AddSymbol(name, ElfImage::kBase + ElfImage::kFirst, code.size());
    return *this;
  }
  Program& Stripped() {
    image_.Append(".text", "\xc3");
    return *this;
  }
  Result<RuntimePlan> Resolve(std::string_view constants) {
    image_.Append(".rodata", constants);
    image_.Append(".data", "data");
    const auto elf = binary::Elf::FromBytes(image_.Make());
    if (!elf.ok()) return elf.status();
    return kNode.resolve(**elf);
  }

 private:
  ElfImage image_;
};

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

constexpr char kPush[] = "_ZN4node10AsyncHooks18push_async_contextEddPN2v85LocalINS1_6ObjectEEE";
constexpr std::string_view kTexts("internal/async_hooks\0/v22.1.0/node-v22.1.0.tar.gz", 49);
// push %rbp; mov 0x40(%rdi), %rax; movsd (%rax), %xmm2; movsd 8(%rax), %xmm3; movups %xmm0, (%rax)
constexpr std::string_view kSaves(
    "\x55\x48\x8b\x47\x40\xf2\x0f\x10\x10\xf2\x0f\x10\x58\x08\x0f\x11\x00\x5d\xc3", 19);
// push %rbp; mov 0x40(%rdi), %rax; mov (%rax), %rcx; pop %rbp; ret
constexpr std::string_view kOther("\x55\x48\x8b\x47\x40\x48\x8b\x08\x5d\xc3", 10);

TEST(Node, FieldsAreReadOutOfTheCode) {
  const auto plan = Program().Push(kSaves, kPush).Resolve(kTexts);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.node.id_fields, 0x40);
  EXPECT_EQ(plan->version, "v22.1.0");
  EXPECT_EQ(plan->points.at(0).file_offset, ElfImage::kFirst);
}

TEST(Node, ThatIsNotUnderstoodSaysWhy) {
  EXPECT_THAT(Why(Program().Push(kOther, kPush).Resolve(kTexts)),
              HasSubstr("v22.1.0 does not show"));
  EXPECT_THAT(Why(Program().Stripped().Resolve(kTexts)), HasSubstr("v22.1.0 has no symbol"));
}

TEST(Node, IsNotInOtherPrograms) {
  EXPECT_TRUE(absl::IsNotFound(Program().Push(kSaves, "main").Resolve("x").status()));
  for (const char* path : {"/usr/bin/python3", "/bin/sh"}) {
    const auto elf = OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_TRUE(absl::IsNotFound(kNode.resolve(*elf).status())) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
