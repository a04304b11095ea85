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

std::string Call(uint64_t from, uint64_t to) {
  return '\xe8' + Number(static_cast<int32_t>(to - from - 5));
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
    AddTo(image);
    return image.Make();
  }
  void AddTo(GoImage& image) const {
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

TEST(Go, WhatIsMadeIsProbedWhereItIsQueued) {
  GoImage image({.version = "go1.22.3"});
  Program().AddTo(image);
  const std::string entry = std::string(kCheckStack) + std::string(kPush);
  const uint64_t wake = image.Add("runtime.wakep", entry + std::string(kReturn));
  const uint64_t queue = image.Add("runtime.runqput", entry + std::string(kReturn));
  const uint64_t at = image.End() + entry.size();
  image.Add("runtime.newproc.func1",
            entry + Call(at, wake) + Call(at + 5, queue) + std::string(kReturn));
  const std::string file = image.Make();
  const auto elf = binary::Elf::FromBytes(file);
  ASSERT_TRUE(elf.ok()) << elf.status();
  const auto plan = kGo.resolve(**elf);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->points.size(), 2);
  const RuntimePoint& point = plan->points[1];
  EXPECT_EQ(point.event, SONDE_RUNTIME_GO_MADE);
  EXPECT_EQ(point.where, "runtime.newproc.func1+0xc");
  EXPECT_EQ(file.substr(point.file_offset, 5), Call(at + 5, queue));
  EXPECT_EQ(point.subject.from, SONDE_REGISTER_BX);
  EXPECT_EQ(point.subject.memory, 0);
  EXPECT_EQ(point.use, RuntimePointUse::kOnDemand);
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

// A program with grpc-go and x/net's HTTP/2, as far as is looked at.
struct Streams {
  std::string load = LoadNumber(108);  // of the stream's number, into ecx
  int32_t header = 0;                  // where headers have it
  int32_t made = 8;                    // where a stream of net/http has it
  std::string_view headers = "headerHandler";
  bool puts = true;  // executeAndPut is called
  bool old = false;  // Go 1.20

  // mov rdx,[rsp+0x48]: the second argument, where the prologue saved it.
  static std::string LoadStream() { return {"\x48\x8b\x54\x24\x48", 5}; }
  static std::string LoadNumber(int32_t offset) {  // mov ecx,[rdx+offset]
    return LoadStream() + std::string("\x8b\x8a", 2) + Number(offset);
  }
  std::string Make() const {
    const std::string transport = "google.golang.org/grpc/internal/transport.";
    GoImage image({.version = old ? "go1.20.14" : "go1.22.3"});
    Program{.at = old ? k120 : k122}.AddTo(image);
    const std::string entry = std::string(kCheckStack) + std::string(kPush);
    const std::string end(kReturn);
    image.Add("google.golang.org/grpc.(*Server).handleStream", entry + end);
    const uint64_t look_up = image.Add("runtime.mapaccess2_fast32", end);
    const uint64_t put = image.Add(transport + "(*controlBuffer).executeAndPut", entry + end);
    const std::string saved = std::string("\x48\x89\x5c\x24\x48", 5) + load;
    image.Add(transport + "(*http2Server).deleteStream",
              saved + Call(image.End() + saved.size(), look_up) + end);
    image.Add(transport + "(*http2Client).NewStream",
              entry + Call(image.End() + entry.size(), puts ? put : look_up) + end);
    image.Add(transport + "(*loopyWriter)." + std::string(headers),
              entry + std::string("\x8b\x8b", 2) + Number(header) + end);
    image.Add("golang.org/x/net/http2.(*serverConn).runHandler", entry + end);
    image.Add("golang.org/x/net/http2.(*ClientConn).roundTrip", entry + end);
    image.Add("golang.org/x/net/http2.(*serverConn).newStream",
              std::string("\x89\x98", 2) + Number(made) + end);  // mov [rax+made],ebx
    return image.Make();
  }
  RuntimePlan Resolve() const {
    const auto elf = binary::Elf::FromBytes(Make());
    EXPECT_TRUE(elf.ok()) << elf.status();
    const auto plan = kGo.resolve(**elf);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *plan : RuntimePlan();
  }
};

const RuntimePoint* PointOf(const RuntimePlan& plan, sonde_runtime_event event) {
  for (const auto& point : plan.points) {
    if (point.event == event) return &point;
  }
  return nullptr;
}

TEST(GoStreams, PointsAreWhereWorkBegins) {
  const Streams program;
  const RuntimePlan plan = program.Resolve();
  EXPECT_EQ(plan.remark, "");
  ASSERT_EQ(plan.points.size(), 6);
  const auto* round_trip = PointOf(plan, SONDE_RUNTIME_GO_HTTP2_CALLS);
  ASSERT_NE(round_trip, nullptr);
  EXPECT_EQ(round_trip->where, "golang.org/x/net/http2.(*ClientConn).roundTrip+0x6");
  const auto* serves = PointOf(plan, SONDE_RUNTIME_GO_GRPC_SERVES);
  ASSERT_NE(serves, nullptr);
  EXPECT_EQ(serves->where, "google.golang.org/grpc.(*Server).handleStream+0x6");
  EXPECT_EQ(serves->subject.from, SONDE_REGISTER_DI);
  EXPECT_EQ(serves->subject.memory, 0);
  EXPECT_EQ(serves->detail, 108);
  EXPECT_EQ(serves->use, RuntimePointUse::kAlways);
  const auto* calls = PointOf(plan, SONDE_RUNTIME_GO_GRPC_CALLS);
  ASSERT_NE(calls, nullptr);
  EXPECT_EQ(program.Make().at(calls->file_offset), '\xe8');
  EXPECT_EQ(calls->subject.from, SONDE_REGISTER_DI);
  const auto* sends = PointOf(plan, SONDE_RUNTIME_GO_GRPC_SENDS);
  ASSERT_NE(sends, nullptr);
  EXPECT_EQ(sends->subject.from, SONDE_REGISTER_BX);
  EXPECT_EQ(sends->subject.memory, 0);
  const auto* http = PointOf(plan, SONDE_RUNTIME_GO_HTTP2_SERVES);
  ASSERT_NE(http, nullptr);
  EXPECT_EQ(http->subject.from, SONDE_REGISTER_BX);
  EXPECT_EQ(http->subject.memory, 1);
}

// grpc-go 1.69 to 1.76: a ServerStream begins with a pointer to its Stream.
TEST(GoStreams, NumberBehindAPointer) {
  const std::string load_inner("\x48\x8b\x12", 3);  // mov rdx,[rdx]
  const RuntimePlan plan =
      Streams{.load = Streams::LoadStream() + load_inner + std::string("\x8b\x0a", 2)}.Resolve();
  const auto* serves = PointOf(plan, SONDE_RUNTIME_GO_GRPC_SERVES);
  ASSERT_NE(serves, nullptr) << plan.remark;
  EXPECT_EQ(serves->subject.memory, 1);
  EXPECT_EQ(serves->subject.offset, 0);
  EXPECT_EQ(serves->detail, 0);
}

TEST(GoStreams, HeadersOfTheClientAlone) {
  EXPECT_NE(
      PointOf(Streams{.headers = "clientHeaderHandler"}.Resolve(), SONDE_RUNTIME_GO_GRPC_SENDS),
      nullptr);
}

TEST(GoStreams, WhatTheCodeDoesNotShowIsLeftOutAndSaid) {
  const std::string other_register("\x8b\x88\x6c\x00\x00\x00", 6);  // mov ecx,[rax+108]
  const RuntimePlan server = Streams{.load = other_register}.Resolve();
  EXPECT_EQ(PointOf(server, SONDE_RUNTIME_GO_GRPC_SERVES), nullptr);
  EXPECT_THAT(server.remark, HasSubstr("streams of its gRPC server are not linked"));
  for (const Streams& program :
       {Streams{.header = 4}, Streams{.puts = false}, Streams{.headers = "inlined"}}) {
    const RuntimePlan client = program.Resolve();
    EXPECT_EQ(PointOf(client, SONDE_RUNTIME_GO_GRPC_CALLS), nullptr);
    EXPECT_EQ(PointOf(client, SONDE_RUNTIME_GO_GRPC_SENDS), nullptr);
    EXPECT_THAT(client.remark, HasSubstr("calls of its gRPC client are not linked"));
  }
  const RuntimePlan http = Streams{.made = 16}.Resolve();
  EXPECT_EQ(PointOf(http, SONDE_RUNTIME_GO_HTTP2_SERVES), nullptr);
  EXPECT_THAT(http.remark, HasSubstr("streams of its HTTP/2 server are not linked"));
  const RuntimePlan old = Streams{.old = true}.Resolve();
  EXPECT_EQ(PointOf(old, SONDE_RUNTIME_GO_GRPC_SERVES), nullptr);
  EXPECT_NE(PointOf(old, SONDE_RUNTIME_GO_GRPC_CALLS), nullptr);
  EXPECT_THAT(old.remark, HasSubstr("before Go 1.21"));
}

TEST(GoStreams, HostileFilesDoNoHarm) { testing::ExpectNoHarm(kGo, Streams().Make()); }

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
    EXPECT_EQ(plan->remark, "") << command;
    ASSERT_GE(plan->points.size(), 1) << command;
    for (const auto& point : plan->points) testing::ExpectSoundPoint(command, point);
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
