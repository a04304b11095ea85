// SPDX-License-Identifier: Apache-2.0
// Backwards along wakes: tokio's tasks, pools of Go's workers.
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
Execution Goroutine(uint64_t id) {
  return {.tgid = kTgid, .tid = 11, .id = id, .runtime = RuntimeKind::kGo};
}

class WakeRuleTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  void Wake(uint64_t from, uint64_t to, ExecutionChange change = ExecutionChange::kWoken) {
    w.Says(change, Task(0), from, to);
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

// spawn_blocking: the closure calls by itself, and so may what it spawns.
TEST_F(WakeRuleTest, WhatBlocksCallsForTheRequestItWasMadeIn) {
  const auto s1 = Read(Task(1));
  const auto s2 = Read(Task(2));
  w.Says(ExecutionChange::kMade, Task(0), 2, 8, 0, 1);
  w.Says(ExecutionChange::kMade, Task(0), 1, 7, 0, 1);
  const auto c1 = w.Send(w.Connect(), Task(7));
  const auto c2 = w.Send(w.Connect(), Task(8));
  w.Finish(c2);
  w.Finish(c1);
  End(s2, Task(2));
  const auto late = w.Send(w.Connect(), Task(8));
  w.Finish(late);
  End(s1, Task(1));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_TRUE(w.IsRoot(late));
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

}  // namespace
}  // namespace sonde::trace
