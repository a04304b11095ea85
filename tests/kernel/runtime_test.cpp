// SPDX-License-Identifier: Apache-2.0
// Who moved the bytes, as the memory of a language runtime says it. The runtimes are made of a few
// variables here, laid out by the case; real ones are the accuracy lab's.
#include "sonde/abi/runtime.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/abi/tls.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/family.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/runtime.h"

namespace sonde::kernel_test {
namespace {

uint64_t Address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// As g, sudog and hchan of Go, with a word between the fields that are read.
struct Goroutine {
  uint64_t id = 0;
  uint64_t parent = 0;
  const void* waiting = nullptr;
};
struct Sudog {
  const Goroutine* goroutine = nullptr;
  const Sudog* next = nullptr;
  const Sudog* waitlink = nullptr;
  const void* channel = nullptr;
};
struct Channel {
  const Sudog* receivers = nullptr;
};

thread_local const Goroutine* current_g = nullptr;

sonde_runtime Go() {
  const auto g = static_cast<int64_t>(Address(&current_g)) -
                 static_cast<int64_t>(Address(__builtin_thread_pointer()));
  sonde_runtime runtime{};
  runtime.kind = SONDE_RUNTIME_GO;
  runtime.go = {.g = static_cast<int32_t>(g),
                .goid = offsetof(Goroutine, id),
                .parent_goid = offsetof(Goroutine, parent),
                .waiting = offsetof(Goroutine, waiting),
                .sudog_goroutine = offsetof(Sudog, goroutine),
                .sudog_next = offsetof(Sudog, next),
                .sudog_waitlink = offsetof(Sudog, waitlink),
                .sudog_channel = offsetof(Sudog, channel),
                .channel_receivers = offsetof(Channel, receivers),
                .m = SONDE_NOWHERE,
                .current = SONDE_NOWHERE};
  return runtime;
}

struct Chunk {
  const Chunk* previous = nullptr;
};
struct ThreadState {
  const ThreadState* next = nullptr;
  uint64_t thread = 0;
  const void* context = nullptr;
  const Chunk* stack = nullptr;
};
struct Interpreter {
  const ThreadState* threads = nullptr;
};

// As an object of Python: its type at 8, whose name is at 24.
struct Type {
  std::array<uint64_t, 3> head{};
  const char* name = nullptr;
};
struct Object {
  uint64_t references = 1;
  const Type* type = nullptr;
};

// As what is read of a session of nghttp2.
struct Session {
  uint32_t unread = 0;
  uint32_t next_stream = 0;
};

struct Frame {
  size_t length = 0;
  int32_t stream = 0;
};

// As the methods of SimpleQueue: the queue and the arguments, and what was taken. What go f() has
// made. nghttp2: a session that reads, makes a request, and responds to a stream.
extern "C" {
__attribute__((noinline, used)) void sonde_test_put(const void* /*queue*/,
                                                    const Object* const* arguments) {
  asm volatile("" : : "r"(arguments) : "memory");
}
__attribute__((noinline, used)) void sonde_test_made(const Goroutine* made) {
  asm volatile("" : : "r"(made) : "memory");
}
__attribute__((noinline, used)) const Object* sonde_test_get(const Object* object) {
  asm volatile("" : "+r"(object) : : "memory");
  return object;
}
__attribute__((noinline, used)) void sonde_test_reads(const Session* session) {
  asm volatile("# reads" : : "r"(session) : "memory");
}
__attribute__((noinline, used)) void sonde_test_calls(const Session* session) {
  asm volatile("# calls" : : "r"(session) : "memory");
}
__attribute__((noinline, used)) void sonde_test_answers(const Session* session, int stream) {
  asm volatile("# answers" : : "r"(session), "r"(stream) : "memory");
}
__attribute__((noinline, used)) void sonde_test_gives(const Session* session, const Frame* frame) {
  asm volatile("# gives" : : "r"(session), "r"(frame) : "memory");
}
}

// Where in the file of this program the code of a function is.
uint64_t FileOffset(uint64_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t offset = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) ==
            3 &&
        address >= start && address < end) {
      return address - start + offset;
    }
  }
  return 0;
}

std::vector<probe::RuntimePoint> QueuePoints() {
  probe::RuntimePoint put;
  put.file_offset = FileOffset(reinterpret_cast<uint64_t>(&sonde_test_put));
  put.event = SONDE_RUNTIME_PYTHON_PUT;
  put.subject.from = SONDE_REGISTER_SI;
  put.subject.memory = 1;
  probe::RuntimePoint taken;
  taken.file_offset = FileOffset(reinterpret_cast<uint64_t>(&sonde_test_get));
  taken.at_return = true;
  taken.event = SONDE_RUNTIME_PYTHON_TAKEN;
  taken.subject.from = SONDE_REGISTER_AX;
  return {put, taken};
}

template <typename Function>
probe::RuntimePoint SessionPoint(Function* function, sonde_runtime_event event,
                                 uint32_t detail = SONDE_REGISTER_SI) {
  probe::RuntimePoint point;
  point.file_offset = FileOffset(reinterpret_cast<uint64_t>(function));
  point.event = event;
  point.subject.from = SONDE_REGISTER_DI;
  point.detail = detail;
  return point;
}

class RuntimeTest : public FamilyTest {
 protected:
  // To functions of this program; until the next call.
  void Attach(const sonde_runtime& runtime, std::span<const probe::RuntimePoint> points) {
    attachment_.reset();
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    auto attached = lab_->kernel().uprobes()->Attach(file, runtime, points);
    close(file);
    ASSERT_TRUE(attached.ok()) << attached.status();
    attachment_ = *std::move(attached);
  }
  // A traced child whose runtime is known before it does anything.
  Log Run(const sonde_runtime& runtime, const std::function<void()>& script) {
    Log log;
    Lab::Child child(*lab_, script);
    lab_->kernel().uprobes()->SetRuntime(child.tgid(), runtime);
    child.Release();
    lab_->PollUntil(log, [&] { return log.Has(ProcessChange::kExit, child.tgid()); });
    EXPECT_EQ(child.Wait(), 0);
    return log;
  }
  static std::vector<ExecutionEvent> Of(const Log& log, ExecutionChange change) {
    std::vector<ExecutionEvent> found;
    for (const ExecutionEvent& event : log.executions) {
      if (event.change == change) found.push_back(event);
    }
    return found;
  }

 private:
  std::unique_ptr<probe::Prober::Attachment> attachment_;
};

TEST_P(RuntimeTest, GoroutineThatSendsAndItsMaker) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = Run(Go(), [&] {
    const Goroutine g{.id = 77, .parent = 12};
    current_g = &g;
    Must(SendAll(pair.near.get(), Request("a")));
    Must(SendAll(pair.near.get(), Request("b")));
  });
  ASSERT_EQ(log.data.size(), 2U);
  EXPECT_EQ(log.data[0].event.who.id, 77U);
  EXPECT_EQ(log.data[0].event.who.runtime, RuntimeKind::kGo);
  const auto made = Of(log, ExecutionChange::kMade);  // said once for a connection
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].to, 77U);
  EXPECT_EQ(made[0].from, 12U);
  EXPECT_EQ(made[0].by.runtime, RuntimeKind::kGo);
}

// net/http: writeLoop (which sent) and the caller wait for the same channel when the response
// comes.
TEST_P(RuntimeTest, GoroutineThatAwaitsTheResponse) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string response = "HTTP/1.1 204 No Content\r\n\r\n";
  const Log log = Run(Go(), [&] {
    Goroutine writer{.id = 5};
    const Goroutine caller{.id = 9, .parent = 3};
    const Goroutine reader{.id = 6};
    Channel other;
    Channel closed;
    const Sudog caller_waits{.goroutine = &caller, .channel = &closed};
    const Sudog writer_waits{.goroutine = &writer, .next = &caller_waits, .channel = &closed};
    const Sudog writer_first{.goroutine = &writer, .waitlink = &writer_waits, .channel = &other};
    other.receivers = &writer_first;
    closed.receivers = &writer_waits;
    writer.waiting = &writer_first;
    current_g = &writer;
    Must(SendAll(pair.near.get(), Request("a")));
    Must(SendAll(pair.far.get(), response));
    current_g = &reader;
    Must(ReceiveExactly(pair.near.get(), response.size()) == response);
  });
  const auto awaited = Of(log, ExecutionChange::kAwaited);
  ASSERT_EQ(awaited.size(), 1U);
  EXPECT_EQ(awaited[0].connection, lab_->Id(pair.near.get()));
  EXPECT_EQ(awaited[0].to, 9U);
  EXPECT_EQ(awaited[0].from, 3U);
}

// Where somebody was found to wait, the next is looked for first; but only if the writer waits
// there, too.
TEST_P(RuntimeTest, GoroutinesThatAwaitOneAfterAnother) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string response = "HTTP/1.1 204 No Content\r\n\r\n";
  const Log log = Run(Go(), [&] {
    Goroutine writer{.id = 5};
    const Goroutine reader{.id = 6};
    const Goroutine first{.id = 9};
    const Goroutine second{.id = 10};
    const Goroutine stranger{.id = 11};
    const Goroutine third{.id = 12};
    Channel closed;
    Channel later;
    const auto exchange = [&] {
      current_g = &writer;
      Must(SendAll(pair.near.get(), Request("a")));
      Must(SendAll(pair.far.get(), response));
      current_g = &reader;
      Must(ReceiveExactly(pair.near.get(), response.size()) == response);
    };
    const Sudog first_waits{.goroutine = &first, .channel = &closed};
    const Sudog writer_waits{.goroutine = &writer, .next = &first_waits, .channel = &closed};
    closed.receivers = &writer_waits;
    writer.waiting = &writer_waits;
    exchange();
    const Sudog writer_again{.goroutine = &writer, .channel = &closed};
    const Sudog second_waits{.goroutine = &second, .next = &writer_again, .channel = &closed};
    closed.receivers = &second_waits;
    writer.waiting = &writer_again;
    exchange();
    const Sudog stranger_waits{.goroutine = &stranger, .channel = &closed};
    closed.receivers = &stranger_waits;
    const Sudog third_waits{.goroutine = &third, .channel = &later};
    const Sudog writer_later{.goroutine = &writer, .next = &third_waits, .channel = &later};
    later.receivers = &writer_later;
    writer.waiting = &writer_later;
    exchange();
  });
  const auto awaited = Of(log, ExecutionChange::kAwaited);
  ASSERT_EQ(awaited.size(), 3U);
  EXPECT_EQ(awaited[0].to, 9U);
  EXPECT_EQ(awaited[1].to, 10U);
  EXPECT_EQ(awaited[2].to, 12U);
}

// The maker's number is in what it made; before Go 1.21 it is the one at work.
TEST_P(RuntimeTest, GoroutinesThatAreMade) {
  if (!lab_->kernel().has(probe::Part::kRuntimes)) GTEST_SKIP() << "no family for runtimes";
  for (const bool has_parent : {true, false}) {
    sonde_runtime runtime = Go();
    if (!has_parent) runtime.go.parent_goid = SONDE_NOWHERE;
    probe::RuntimePoint point;
    point.file_offset = FileOffset(reinterpret_cast<uint64_t>(&sonde_test_made));
    point.event = SONDE_RUNTIME_GO_MADE;
    point.subject.from = SONDE_REGISTER_DI;
    Attach(runtime, {{point}});
    void (*volatile made)(const Goroutine*) = &sonde_test_made;
    const Log log = Run(runtime, [&] {
      const Goroutine maker{.id = 5};
      const Goroutine child{.id = 9, .parent = 4};
      current_g = &maker;
      made(&child);
      made(reinterpret_cast<const Goroutine*>(0xdead0000dead0000));
    });
    const auto told = Of(log, ExecutionChange::kMade);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].from, has_parent ? 4U : 5U);
    EXPECT_EQ(told[0].to, 9U);
    EXPECT_EQ(told[0].by.runtime, RuntimeKind::kGo);
  }
}

// Memory that is no runtime's costs nothing but the number.
TEST_P(RuntimeTest, NonsenseInMemory) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = Run(Go(), [&] {
    current_g = reinterpret_cast<const Goroutine*>(0xdead0000dead0000);
    Must(SendAll(pair.near.get(), Request("a")));
    Sudog loop;
    loop.next = loop.waitlink = &loop;
    Channel channel{.receivers = &loop};
    loop.channel = &channel;
    const Goroutine g{.id = 1, .waiting = &loop};
    current_g = &g;
    Must(SendAll(pair.near.get(), Request("b")));
    Must(SendAll(pair.far.get(), Request("c")));
    const Goroutine reader{.id = 2};
    current_g = &reader;
    Must(!ReceiveExactly(pair.near.get(), 10).empty());
  });
  ASSERT_GE(log.data.size(), 3U);
  EXPECT_EQ(log.data[0].event.who.id, 0U);
  EXPECT_EQ(log.data[1].event.who.id, 1U);
}

TEST_P(RuntimeTest, PythonContextOfTheThread) {
  const Pair pair = Connect(Kind::kTcp4);
  static Interpreter interpreter;
  static const Interpreter* main_interpreter = &interpreter;
  alignas(8) static std::array<char, 64> entered{};
  alignas(8) static std::array<char, 64> implicit{};
  entered[40] = 1;
  static Chunk first;
  static Chunk second{.previous = &first};
  static Chunk endless{.previous = &endless};
  sonde_runtime runtime{};
  runtime.kind = SONDE_RUNTIME_PYTHON;
  runtime.base = Address(&main_interpreter);
  runtime.python = {.interpreter = 0,
                    .threads = offsetof(Interpreter, threads),
                    .next = offsetof(ThreadState, next),
                    .native_id = SONDE_NOWHERE,
                    .thread_id = offsetof(ThreadState, thread),
                    .context = offsetof(ThreadState, context),
                    .entered = 40,
                    .stack = offsetof(ThreadState, stack)};
  const Log log = Run(runtime, [&] {
    ThreadState own{.thread = Address(__builtin_thread_pointer())};
    const ThreadState other{.next = &own, .thread = 1, .context = &implicit};
    interpreter.threads = &other;
    Must(SendAll(pair.near.get(), Request("none")));
    own.context = &entered;
    Must(SendAll(pair.near.get(), Request("entered")));
    own.context = &implicit;
    Must(SendAll(pair.near.get(), Request("implicit")));
    own.context = nullptr;
    own.stack = &second;
    Must(SendAll(pair.near.get(), Request("stack")));
    own.stack = &endless;
    Must(SendAll(pair.near.get(), Request("endless")));
  });
  ASSERT_EQ(log.data.size(), 5U);
  EXPECT_EQ(log.data[0].event.who.id, 0U);
  EXPECT_EQ(log.data[0].event.who.runtime, RuntimeKind::kPython);
  EXPECT_EQ(log.data[1].event.who.id, Address(entered.data()));
  EXPECT_FALSE(log.data[1].event.who.is_thread);
  EXPECT_EQ(log.data[2].event.who.id, Address(implicit.data()) | SONDE_PYTHON_OWN);
  EXPECT_TRUE(log.data[2].event.who.is_thread);
  EXPECT_EQ(log.data[3].event.who.id, Address(&first) | SONDE_PYTHON_STACK);
  EXPECT_TRUE(log.data[3].event.who.is_thread);
  EXPECT_EQ(log.data[4].event.who.id, 0U);
}

// Of what goes through a queue only the work of a thread pool is told.
TEST_P(RuntimeTest, PythonWorkThatGoesThroughAQueue) {
  if (!lab_->kernel().has(probe::Part::kRuntimes)) GTEST_SKIP() << "no family for runtimes";
  static const Type work_type{.name = "_WorkItem"};
  static const Type other_type{.name = "_WorkItems"};
  static const Object work{.type = &work_type};
  static const Object other{.type = &other_type};
  static const Object broken{.type = reinterpret_cast<const Type*>(0xdead0000dead0000)};
  sonde_runtime runtime{};
  runtime.kind = SONDE_RUNTIME_PYTHON;
  runtime.unread = 1;
  Attach(runtime, QueuePoints());
  // Through pointers: a compiler that sees the calls leaves out what is not used.
  void (*volatile put)(const void*, const Object* const*) = &sonde_test_put;
  const Object* (*volatile get)(const Object*) = &sonde_test_get;
  const Log log = Run(runtime, [&] {
    // In memory, as the names of types are that are in use.
    Must(std::string(work.type->name) < other.type->name);
    for (const Object* each : {&other, &broken, &work, static_cast<const Object*>(nullptr)}) {
      const Object* const arguments[] = {each};
      put(nullptr, arguments);
    }
    std::thread([&] {
      for (const Object* each : {&other, &broken, static_cast<const Object*>(nullptr), &work}) {
        Must(get(each) == each);
      }
    }).join();
  });
  const auto left = Of(log, ExecutionChange::kHandsOff);
  const auto taken = Of(log, ExecutionChange::kTakesUp);
  ASSERT_EQ(left.size(), 1U);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(left[0].to, Address(&work));
  EXPECT_EQ(left[0].by.tid, left[0].by.tgid);
  EXPECT_EQ(taken[0].to, Address(&work));
  EXPECT_NE(taken[0].by.tid, taken[0].by.tgid);
  EXPECT_EQ(taken[0].by.runtime, RuntimeKind::kPython);
}

TEST_P(RuntimeTest, NodeIdsAtEveryTurn) {
  const Pair pair = Connect(Kind::kTcp4);
  const Pair quiet = Connect(Kind::kTcp4);
  static std::array<double, 4> ids{7, 3, 40, -1};
  sonde_runtime runtime{};
  runtime.kind = SONDE_RUNTIME_NODE;
  runtime.base = Address(ids.data());
  const Log log = Run(runtime, [&] {
    Must(SendAll(pair.near.get(), Request("a")));
    ids[2] = 1e15;
    Must(SendAll(pair.near.get(), Request("b")));
    // Another protocol, of which no record is made.
    for (int i = 0; i < 40; ++i) Must(SendAll(quiet.far.get(), std::string(64, '\x01')));
    for (int i = 0; i < 40; ++i) Must(ReceiveExactly(quiet.near.get(), 64).size() == 64);
  });
  const auto told = Of(log, ExecutionChange::kAsyncIds);
  ASSERT_GE(told.size(), 3U);
  EXPECT_EQ(told[0].connection, lab_->Id(pair.near.get()));
  EXPECT_EQ(told[0].from, 7U);
  EXPECT_EQ(told[0].to, 3U);
  EXPECT_EQ(told[0].counter, 40U);
  EXPECT_EQ(told[1].counter, 1'000'000'000'000'000U);
  EXPECT_EQ(told.back().connection, 0U) << "a turn that no record stands for";
}

// What is asked of a session of nghttp2 is told with the connection for which it was given bytes.
TEST_P(RuntimeTest, NodeStreamsThatAreMade) {
  if (!lab_->kernel().has(probe::Part::kRuntimes)) GTEST_SKIP() << "no family for runtimes";
  const Pair pair = Connect(Kind::kTcp4);
  const Pair other = Connect(Kind::kTcp4);
  static std::array<double, 4> ids{7, 3, 40, -1};
  static Session session{.next_stream = 5};
  static Session unread{.next_stream = 9};
  sonde_runtime runtime{};
  runtime.kind = SONDE_RUNTIME_NODE;
  runtime.base = Address(ids.data());
  const probe::RuntimePoint points[] = {
      SessionPoint(&sonde_test_reads, SONDE_RUNTIME_NODE_READS),
      SessionPoint(&sonde_test_calls, SONDE_RUNTIME_NODE_CALLS, offsetof(Session, next_stream)),
      SessionPoint(&sonde_test_answers, SONDE_RUNTIME_NODE_ANSWERS),
      SessionPoint(&sonde_test_gives, SONDE_RUNTIME_NODE_FRAME)};
  Attach(runtime, points);
  void (*volatile reads)(const Session*) = &sonde_test_reads;
  void (*volatile calls)(const Session*) = &sonde_test_calls;
  void (*volatile answers)(const Session*, int) = &sonde_test_answers;
  void (*volatile gives)(const Session*, const Frame*) = &sonde_test_gives;
  const Log log = Run(runtime, [&] {
    for (const auto& [near, far] : {std::pair{pair.near.get(), pair.far.get()},
                                    std::pair{other.near.get(), other.far.get()}}) {
      Must(SendAll(far, Request("a")));
      Must(ReceiveExactly(near, Request("a").size()) == Request("a"));
      Must(SendAll(far, Request("b")));  // what is sent says nothing
      reads(&session);
      calls(&session);
      answers(&session, 11);
      for (const int32_t stream : {3, 3, 5, 0, 3}) {
        const Frame frame{.stream = stream};
        gives(&session, &frame);
      }
    }
    calls(&unread);
    calls(reinterpret_cast<const Session*>(0xdead0000dead0000));
    std::thread([&] { calls(&session); }).join();  // has other ids
  });
  const auto called = Of(log, ExecutionChange::kCalls);
  const auto answered = Of(log, ExecutionChange::kAnswers);
  ASSERT_EQ(called.size(), 2U);
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_EQ(called[0].connection, lab_->Id(pair.near.get()));
  EXPECT_EQ(called[1].connection, lab_->Id(other.near.get()));
  EXPECT_EQ(answered[1].connection, lab_->Id(other.near.get()));
  EXPECT_EQ(called[0].from, 7U);
  EXPECT_EQ(called[0].to, 3U);
  EXPECT_EQ(called[0].counter, 5U);
  EXPECT_EQ(answered[0].counter, 11U);
  // Told when the stream changes; of two connections' reads the second begins anew.
  const auto given = Of(log, ExecutionChange::kStream);
  ASSERT_EQ(given.size(), 8U);
  EXPECT_EQ(given[0].to, 3U);
  EXPECT_EQ(given[1].to, 5U);
  EXPECT_EQ(given[2].to, 0U);
  EXPECT_EQ(given[3].to, 3U);
  EXPECT_EQ(given[4].connection, lab_->Id(other.near.get()));
  EXPECT_EQ(given[4].counter, 40U);
}

TEST_P(RuntimeTest, ChildrenInheritAndExecForgets) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = Run(Go(), [&] {
    const Goroutine g{.id = 77};
    current_g = &g;
    const pid_t child = fork();
    if (child == 0) {
      Must(SendAll(pair.near.get(), Request("child")));
      Must(dup2(pair.near.get(), 9) == 9);
      execl("/bin/sh", "sh", "-c", "printf 'GET /exec HTTP/1.1\\r\\n\\r\\n' >&9", nullptr);
      Must(false);
    }
    int status = 0;
    Must(waitpid(child, &status, 0) == child && status == 0);
  });
  ASSERT_EQ(log.data.size(), 2U);
  EXPECT_EQ(log.data[0].event.who.id, 77U);
  EXPECT_EQ(log.data[1].event.who.runtime, RuntimeKind::kNone);
}

TEST_P(RuntimeTest, WithoutARuntimeOnlyTheThread) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] { Must(SendAll(pair.near.get(), Request("a"))); });
  ASSERT_EQ(log.data.size(), 1U);
  EXPECT_EQ(log.data[0].event.who.id, 0U);
  EXPECT_EQ(log.data[0].event.who.runtime, RuntimeKind::kNone);
}

// connect(2) says for whom a connection is made, before anything is sent on it.
TEST_P(RuntimeTest, Connects) {
  const Log log = lab_->Run([] { const Pair pair = Connect(Kind::kTcp4); });
  const auto connects = Of(log, ExecutionChange::kConnects);
  ASSERT_EQ(connects.size(), 1U);
  EXPECT_NE(connects[0].connection, 0U);
}

SONDE_FOR_EACH_FAMILY(RuntimeTest);

}  // namespace
}  // namespace sonde::kernel_test
