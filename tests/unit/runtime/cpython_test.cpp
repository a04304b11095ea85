// SPDX-License-Identifier: Apache-2.0
// Interpreters of this machine are started, and what the layout leads to is compared with what they
// say. SONDE_PYTHONS names more of them, separated by colons.
#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <ios>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
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

using sonde::testing::LiveProcess;
using sonde::testing::OpenFile;
using ::testing::HasSubstr;

// Threads at work, three of them and the loop in a context of their own, say who they are:
// thread number, thread pointer, address of the context.
constexpr char kAtWork[] = R"(
import asyncio, contextvars, os, threading, time
def at_work(context):
    known = 0 if context is None else id(context)
    os.write(1, f"{threading.get_native_id()} {threading.get_ident()} {known}\n".encode())
    time.sleep(60)
for i in range(3):
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(at_work, context), daemon=True).start()
threading.Thread(target=at_work, args=(None,), daemon=True).start()
loop = asyncio.new_event_loop()
context = contextvars.copy_context()
loop.call_soon(at_work, context, context=context)
loop.run_forever()
)";
constexpr size_t kAtWorkThreads = 5;

// The file that has the interpreter in it, found among what the process has mapped.
struct Found {
  std::string path;
  std::unique_ptr<binary::Elf> elf;
  RuntimePlan plan;
  uint64_t base = 0;  // in the process
};

std::optional<Found> FindIn(const LiveProcess& process) {
  const auto mappings = process.Mappings();
  std::set<std::string> seen;
  for (const auto& mapping : mappings) {
    if (!mapping.executable || !seen.insert(mapping.path).second) continue;
    auto elf = OpenFile(mapping.path);
    if (elf == nullptr) continue;
    auto plan = kCPython.resolve(*elf);
    if (absl::IsNotFound(plan.status())) continue;
    EXPECT_TRUE(plan.ok()) << mapping.path << ": " << plan.status();
    if (!plan.ok()) return std::nullopt;
    const uint64_t base = InProcess(mappings, mapping.path, *elf, plan->layout.base);
    return Found{mapping.path, std::move(elf), *std::move(plan), base};
  }
  return std::nullopt;
}

// Chunks of CPython's data stack: the address of the one before, its size, how much of it is used.
void ExpectStack(const LiveProcess& process, uint64_t chunk) {
  constexpr uint64_t kChunkBytes = 16384;
  constexpr size_t kMaxChunks = 16;
  ASSERT_NE(chunk, 0U);
  for (size_t i = 0; i < kMaxChunks && chunk != 0; ++i) {
    EXPECT_EQ(process.Read<uint64_t>(chunk + sizeof(chunk)) % kChunkBytes, 0U);
    chunk = process.Read<uint64_t>(chunk);
  }
  EXPECT_EQ(chunk, 0U);
}

// As the kernel side does it. `thread`: its number, its thread pointer.
std::optional<uint64_t> ContextOf(const LiveProcess& process, const Found& found,
                                  const std::vector<uint64_t>& thread) {
  constexpr int kMaxThreads = 80;
  const sonde_python_layout& layout = found.plan.layout.python;
  const auto word = [&](uint64_t at, int32_t offset) {
    return process.Read<uint64_t>(at + static_cast<uint64_t>(offset));
  };
  uint64_t state = word(word(found.base, layout.interpreter), layout.threads);
  for (int i = 0; i < kMaxThreads && state != 0; ++i) {
    const bool own = word(state, layout.thread_id) == thread[1];
    if (layout.native_id != SONDE_NOWHERE) {
      EXPECT_EQ(word(state, layout.native_id) == thread[0], own);  // either way leads to it
    }
    if (own && layout.stack != SONDE_NOWHERE) ExpectStack(process, word(state, layout.stack));
    if (own) return word(state, layout.context);
    state = word(state, layout.next);
  }
  return std::nullopt;
}

void ExpectContextsOf(const std::string& python) {
  SCOPED_TRACE(python);
  const LiveProcess process({python, "-c", kAtWork}, false);
  std::vector<std::vector<uint64_t>> threads;
  for (size_t i = 0; i < kAtWorkThreads; ++i) {
    threads.push_back(process.Numbers());
    ASSERT_EQ(threads.back().size(), 3U);
  }
  const auto found = FindIn(process);
  ASSERT_TRUE(found.has_value());
  for (const auto& thread : threads) {
    EXPECT_EQ(ContextOf(process, *found, thread), thread[2]) << found->path;
  }
  const bool has_stacks = std::stoi(found->plan.version.substr(2)) >= 11;
  EXPECT_EQ(found->plan.layout.python.stack != SONDE_NOWHERE, has_stacks) << found->path;
  ASSERT_EQ(found->plan.points.size(), 1U);
  const RuntimePoint& point = found->plan.points.front();
  EXPECT_EQ(point.event, SONDE_RUNTIME_PYTHON_COPIED);
  EXPECT_TRUE(point.at_return);
  EXPECT_EQ(point.subject.from, SONDE_REGISTER_AX);
  EXPECT_EQ(point.use, RuntimePointUse::kAlways);
  EXPECT_NE(CodeInProcess(process.Mappings(), found->path, point.file_offset), 0U);
  ::testing::Test::RecordProperty(found->plan.version, found->path);
}

std::string WithSymbols(const std::string& python) {
  const LiveProcess process({python, "-c", kAtWork}, false);
  if (process.Numbers().empty()) return {};
  const auto found = FindIn(process);
  if (!found) return {};
  std::ifstream file(found->path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<RuntimePlan> ResolveBytes(std::string bytes) {
  const auto elf = binary::Elf::FromBytes(std::move(bytes));
  if (!elf.ok()) return elf.status();
  return kCPython.resolve(**elf);
}

std::string Why(const Result<RuntimePlan>& plan) { return std::string(plan.status().message()); }

TEST(CPython, ContextsOfTheSystemsInterpreterAreFound) {
  if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3";
  ExpectContextsOf("/usr/bin/python3");
}

TEST(CPython, ContextsOfTheOneOnPathAreFound) {
  const std::string python = sonde::testing::OnPath("python3");
  if (python.empty()) GTEST_SKIP() << "no python3 on PATH";
  ExpectContextsOf(python);
}

TEST(CPython, ContextsOfOtherVersionsAreFound) {
  const char* pythons = std::getenv("SONDE_PYTHONS");
  if (pythons == nullptr) GTEST_SKIP() << "SONDE_PYTHONS names no interpreters";
  std::istringstream list(pythons);
  for (std::string python; std::getline(list, python, ':');) ExpectContextsOf(python);
}

TEST(CPython, CodeThatContradictsTheTableIsRefused) {
  std::string bytes = WithSymbols("/usr/bin/python3");
  if (bytes.empty()) GTEST_SKIP() << "no /usr/bin/python3";
  const auto elf = binary::Elf::FromBytes(bytes);
  ASSERT_TRUE(elf.ok());
  const auto next = (*elf)->Find("PyThreadState_Next");
  ASSERT_TRUE(next.has_value());
  const auto offset = (*elf)->CodeOffset(next->address);
  ASSERT_TRUE(offset.has_value());
  const std::string load("\x48\x8b\x47\x08", 4);  // mov 8(%rdi), %rax
  const size_t at = bytes.find(load, *offset);
  if (at > *offset + 16) GTEST_SKIP() << "its PyThreadState_Next is of another kind";
  bytes[at + 3] = 0x10;
  EXPECT_THAT(Why(ResolveBytes(std::move(bytes))), HasSubstr("PyThreadState_Next contradicts"));
}

TEST(CPython, UnknownVersionsAreRefused) {
  std::string bytes = WithSymbols("/usr/bin/python3");
  if (bytes.empty()) GTEST_SKIP() << "no /usr/bin/python3";
  const auto elf = binary::Elf::FromBytes(bytes);
  ASSERT_TRUE(elf.ok());
  const auto version = (*elf)->Find("Py_Version");
  if (!version) GTEST_SKIP() << "its version is no number";
  const std::string number = (*elf)->Read(version->address, 8);
  const auto change = [&](uint64_t to) {
    std::string changed = bytes;
    for (size_t at = changed.find(number); at != std::string::npos; at = changed.find(number, at)) {
      std::memcpy(changed.data() + at, &to, sizeof(to));
      at += sizeof(to);
    }
    return ResolveBytes(std::move(changed));
  };
  EXPECT_THAT(Why(change(0x030700f0)), HasSubstr("3.7.0 is not known"));
  EXPECT_THAT(Why(change(0x030f00f0)), HasSubstr("3.15.0 is not known"));
  EXPECT_THAT(Why(change(0x04000000)), HasSubstr("version"));
  EXPECT_THAT(Why(change(0x030d00f0)), HasSubstr("does not begin with its description"));
}

// 3.13 and later describe themselves. A file of that and of code that uses one field of a thread
// state, as PyContext_CopyCurrent does.
struct Description {
  uint64_t version = 0x030d00f0;
  uint64_t free_threaded = 0;
  size_t next_at = 20;  // index of thread_state.next
  uint64_t thread_id = 152;
  int32_t used = 208;
};

Result<RuntimePlan> Resolve(const Description& from) {
  const auto bytes = [](const auto& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  uint64_t numbers[32] = {from.version, from.free_threaded};
  numbers[4] = 632;
  numbers[8] = 7344;
  numbers[from.next_at] = 8;
  numbers[from.next_at + 3] = from.thread_id;
  numbers[from.next_at + 4] = from.thread_id + 8;
  sonde::testing::ElfImage image;
  // push %rbx; mov used(%rbx), %rax; ret
  const std::string code = std::string("\x53\x48\x8b\x83", 4) + bytes(from.used) + "\xc3";
  const uint64_t copy = image.Append(".text", code);
  const uint64_t runtime = image.Append(".PyRuntime", "xdebugpy" + bytes(numbers));
  const uint64_t version = image.Append(".rodata", bytes(from.version));
  image.AddSymbol("PyContext_CopyCurrent", copy, code.size());
  image.AddSymbol("_PyRuntime", runtime, sizeof(numbers));
  image.AddSymbol("Py_Version", version, sizeof(from.version));
  return ResolveBytes(image.Make());
}

TEST(CPython, DescriptionsAreRead) {
  const auto plan = Resolve(Description{});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->version, "3.13.0");
  EXPECT_EQ(plan->layout.python.interpreter, 640);
  EXPECT_EQ(plan->layout.python.threads, 7344);
  EXPECT_EQ(plan->layout.python.next, 8);
  EXPECT_EQ(plan->layout.python.thread_id, 152);
  EXPECT_EQ(plan->layout.python.native_id, 160);
  EXPECT_EQ(plan->layout.python.context, 208);
  EXPECT_EQ(plan->layout.python.stack, 232);
  const auto next = Resolve({.version = 0x030e00f0, .next_at = 23, .thread_id = 144, .used = 200});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->layout.python.next, 8);
  EXPECT_EQ(next->layout.python.native_id, 152);
  EXPECT_EQ(next->layout.python.context, 200);
}

TEST(CPython, FreeThreadedBuildsAreRefused) {
  EXPECT_THAT(Why(Resolve({.free_threaded = 1})), HasSubstr("free-threaded"));
  EXPECT_THAT(Why(Resolve({.version = 0x030e00f0, .free_threaded = 1, .next_at = 23})),
              HasSubstr("free-threaded"));
}

TEST(CPython, TheContextMustBeInItsCode) {
  EXPECT_THAT(Why(Resolve({.used = 216})), HasSubstr("PyContext_CopyCurrent contradicts"));
}

TEST(CPython, CutFilesAreNotBelieved) {
  const std::string bytes = WithSymbols("/usr/bin/python3");
  if (bytes.empty()) GTEST_SKIP() << "no /usr/bin/python3";
  for (size_t part = 0; part < 16; ++part) {
    const auto plan = ResolveBytes(bytes.substr(0, bytes.size() * part / 16));
    EXPECT_TRUE(!plan.ok() || plan->points.size() == 1);
  }
}

TEST(CPython, IsNotInOtherPrograms) {
  for (const char* path : {"/usr/bin/node", "/bin/sh", "/proc/self/exe"}) {
    const auto elf = OpenFile(path);
    if (elf == nullptr) continue;
    EXPECT_TRUE(absl::IsNotFound(kCPython.resolve(*elf).status())) << path;
  }
}

}  // namespace
}  // namespace sonde::probe
