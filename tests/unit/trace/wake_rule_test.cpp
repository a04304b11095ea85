// SPDX-License-Identifier: Apache-2.0
// Backwards along wakes: tokio's tasks, Java's threads, pools of Go's workers.
#include "trace/wake_rule.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;

Execution Task(uint64_t id) {
  return {.tgid = kTgid, .tid = 11, .id = id, .runtime = RuntimeKind::kTokio};
}
Execution JavaThread(uint32_t tid) {
  return {.tgid = kTgid, .tid = tid, .id = 0, .runtime = RuntimeKind::kJava};
}

Execution Goroutine(uint64_t id) {
  return {.tgid = kTgid, .tid = 11, .id = id, .runtime = RuntimeKind::kGo};
}

class WakeRuleTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  void Wake(uint64_t from, uint64_t to, ExecutionChange change = ExecutionChange::kWoken) {
    w.Says(change, Task(0), from, to);
  }
  void Unpark(uint32_t from, uint32_t to) {
    w.Says(ExecutionChange::kWoken, JavaThread(from), from, to);
  }
  void End(ExchangeId request, Execution by) {
    w.Respond(request, by);
    w.End(request);
  }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  World w;
};

TEST_F(WakeRuleTest, TaskOfAConnectionWakesTheHandler) {
  const auto s1 = Read(Task(1));
  const auto s2 = Read(Task(2));
  const auto c1 = w.Send(w.Connect(), Task(50));
  const auto c2 = w.Send(w.Connect(), Task(51));
  w.Respond(c2, Task(51));
  Wake(51, 2);
  w.End(c2);
  w.Respond(c1, Task(50));
  Wake(50, 1);
  w.End(c1);
  End(s1, Task(1));
  End(s2, Task(2));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "task");
}

TEST_F(WakeRuleTest, SpawnedTaskWorksForTheRequestItWasBornIn) {
  const auto s = Read(Task(1));
  w.Says(ExecutionChange::kMade, Task(0), 1, 7);
  w.Says(ExecutionChange::kMade, Task(0), 7, 8);  // and what it spawns
  const auto c = w.Send(w.Connect(), Task(50));
  w.Respond(c, Task(50));
  Wake(50, 8);
  w.End(c);
  End(s, Task(1));
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

TEST_F(WakeRuleTest, ActorPassesItOnTwiceAtMost) {
  const auto s = Read(Task(1));
  const auto near = w.Send(w.Connect(), Task(50));
  const auto far = w.Send(w.Connect(), Task(51));
  w.Respond(near, Task(50));
  Wake(50, 30);
  Wake(30, 31);
  Wake(31, 1);
  w.End(near);
  w.Respond(far, Task(51));
  Wake(51, 40);
  Wake(40, 41);
  Wake(41, 42);
  Wake(42, 1);
  w.End(far);
  End(s, Task(1));
  Settle();
  EXPECT_TRUE(w.IsChild(near, s));
  EXPECT_TRUE(w.IsRoot(far));
}

// Semaphores and queues wake by value: only from who received straight to who works on a request.
TEST_F(WakeRuleTest, WakesByValueCarryNothing) {
  const auto s = Read(Task(1));
  const auto straight = w.Send(w.Connect(), Task(50));
  w.Respond(straight, Task(50));
  Wake(50, 1, ExecutionChange::kWokenByValue);
  w.End(straight);
  const auto carried = w.Send(w.Connect(), Task(51));
  w.Respond(carried, Task(51));
  Wake(51, 30, ExecutionChange::kWokenByValue);
  Wake(30, 1);
  w.End(carried);
  End(s, Task(1));
  Settle();
  EXPECT_TRUE(w.IsChild(straight, s));
  EXPECT_TRUE(w.IsRoot(carried));
}

// The request came after the call was sent: whoever wakes its task, it did not make that call.
TEST_F(WakeRuleTest, YoungerRequestIsNotTheCaller) {
  const auto open = Read(Task(9));
  const auto c = w.Send(w.Connect(), Task(50));
  const auto s = Read(Task(1));
  w.Respond(c, Task(50));
  Wake(50, 1);
  w.End(c);
  End(s, Task(1));
  End(open, Task(9));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(WakeRuleTest, TasksOfConnectionsAreNoCallers) {
  const auto s = Read(Task(1));
  const auto c = w.Send(w.Connect(), Task(50));
  const auto other = w.Send(w.Connect(), Task(51));
  w.Says(ExecutionChange::kMade, Task(0), 1, 51);
  w.Respond(c, Task(50));
  Wake(50, 51);
  w.End(c);
  w.Finish(other);
  End(s, Task(1));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// HttpClient.send: the selector's thread reads, a worker completes, the caller is unparked.
TEST_F(WakeRuleTest, JavaThreadsThroughAWorker) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c1 = w.Send(w.Connect(), JavaThread(21));
  const auto c2 = w.Send(w.Connect(), JavaThread(30));
  w.Respond(c2, JavaThread(40));
  Unpark(40, 31);
  Unpark(31, 22);
  w.End(c2);
  w.Respond(c1, JavaThread(40));
  Unpark(40, 31);
  Unpark(31, 21);
  w.End(c1);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c2), "wakeup");
}

class JavaPoolTest : public WakeRuleTest {
 protected:
  // A pool's thread calls and has its response.
  ExchangeId Work(uint32_t worker) {
    const auto call = w.Send(w.Connect(), JavaThread(worker));
    w.Respond(call, JavaThread(worker));
    return call;
  }
};

// ExecutorService.submit and get: the worker that called wakes who waits for the result, and the
// next worker.
TEST_F(JavaPoolTest, WorkerWakesWhoWaitsForItsResult) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c2 = Work(32);
  Unpark(32, 22);
  Unpark(32, 33);
  w.End(c2);
  const auto c1 = Work(32);
  Unpark(32, 21);
  w.End(c1);
  End(s2, JavaThread(22));
  End(s1, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c2), "wakeup");
}

TEST_F(JavaPoolTest, WorkerThatWakesTwoSaysNothing) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c = Work(32);
  Unpark(32, 22);  // waited for a lock, say
  Unpark(32, 21);
  w.End(c);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// It may have waited for a lock of the client's.
TEST_F(JavaPoolTest, RequestWhoseOwnThreadCallsTakesNoneOfAWorker) {
  const auto s = Read(JavaThread(21));
  const auto c = Work(32);
  Unpark(32, 21);
  w.End(c);
  const auto own = Work(21);
  w.End(own);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(JavaPoolTest, NextPieceOfWorkIsAnother) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c = Work(32);  // nobody waits for the result yet
  w.End(c);
  Unpark(22, 32);
  Unpark(32, 22);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// A loop's thread that reads requests for others, woken by a worker of theirs.
TEST_F(JavaPoolTest, WhoDoesNotAnswerDidNotWait) {
  const auto s = Read(JavaThread(21));
  const auto c = Work(32);
  Unpark(32, 21);
  w.End(c);
  End(s, JavaThread(32));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// An asynchronous servlet's thread is back in its pool, is woken to complete other requests, and in
// the end, by chance, its own.
TEST_F(JavaPoolTest, WhoAnswersAnotherLeftItsOwnBehind) {
  const auto left = Read(JavaThread(21));
  const auto other = Read(JavaThread(22));
  const auto c = Work(32);
  Unpark(32, 21);
  w.End(c);
  End(other, JavaThread(21));
  const auto later = Work(32);
  Unpark(32, 21);
  w.End(later);
  End(left, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_TRUE(w.IsRoot(later));
}

class GoPoolTest : public WakeRuleTest {
 protected:
  // 40 writes the call for who waits for the response, which 41 reads.
  ExchangeId Work(uint64_t worker) {
    const Link link = w.Connect();
    const auto call = w.Send(link, Goroutine(40));
    w.Says(ExecutionChange::kAwaited, Goroutine(0), 1, worker, link.client.id);
    w.Respond(call, Goroutine(41));
    w.End(call);
    return call;
  }
  void Ready(uint64_t from, uint64_t to, bool selects = false) {
    w.Says(ExecutionChange::kWoken, Goroutine(0), from, to, 0, selects ? 1 : 0);
  }
};

TEST_F(GoPoolTest, WorkerSendsItsResult) {
  const auto s1 = Read(Goroutine(21));
  const auto s2 = Read(Goroutine(22));
  const auto c2 = Work(30);
  Ready(41, 30, true);
  Ready(30, 22);
  const auto c1 = Work(30);
  Ready(41, 30, true);
  Ready(30, 21);
  End(s1, Goroutine(21));
  End(s2, Goroutine(22));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "wakeup");
}

// net/http: who read the response gives the connection to another that waits for one.
TEST_F(GoPoolTest, ReaderGivesTheConnectionAway) {
  const auto s1 = Read(Goroutine(21));
  const auto s2 = Read(Goroutine(22));
  const auto call = Work(30);
  Ready(41, 22, true);
  Ready(30, 21);
  End(s1, Goroutine(21));
  End(s2, Goroutine(22));
  Settle();
  EXPECT_TRUE(w.IsChild(call, s1));
}

TEST_F(GoPoolTest, WhoSelectsMayHaveGivenWork) {
  const auto s1 = Read(Goroutine(21));
  const auto call = Work(30);
  Ready(30, 21, true);
  End(s1, Goroutine(21));
  EXPECT_TRUE(w.IsRoot(call));
}

// The handler returned and its request is answered by a future later; the thread reads the next.
TEST_F(WakeRuleTest, JavaThreadWorksOnWhatItReadLast) {
  const auto later = Read(JavaThread(21));
  const auto s = Read(JavaThread(21));
  const auto c = w.Send(w.Connect(), JavaThread(21));
  w.Respond(c, JavaThread(40));
  Unpark(40, 21);
  w.End(c);
  End(s, JavaThread(21));
  End(later, JavaThread(50));
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

}  // namespace
}  // namespace sonde::trace
