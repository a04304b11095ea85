// SPDX-License-Identifier: Apache-2.0
// Backwards along the unparks of Java's threads, and which of them say nothing.
#include "trace/unpark_rule.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;

Execution JavaThread(uint32_t tid, uint64_t number = 0) {
  return {.tgid = kTgid, .tid = tid, .id = number, .runtime = RuntimeKind::kJava};
}

class UnparkRuleTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  void Unpark(uint32_t from, uint32_t to) {
    w.Says(ExecutionChange::kWoken, JavaThread(from), from, to);
  }
  void End(ExchangeId request, Execution by) {
    w.Respond(request, by);
    w.End(request);
  }
  // The client's worker 31 sends it, its thread 40 receives the response.
  ExchangeId Send() { return w.Send(w.Connect(), JavaThread(31)); }
  void Receive(ExchangeId call, uint32_t worker = 31) {
    w.Respond(call, JavaThread(40));
    Unpark(40, worker);
    w.End(call);
  }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  World w;
};

TEST_F(UnparkRuleTest, ThreadsThroughAWorker) {
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

class WorkerTest : public UnparkRuleTest {
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
TEST_F(WorkerTest, WorkerWakesWhoWaitsForItsResult) {
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

TEST_F(WorkerTest, WorkerThatWakesTwoSaysNothing) {
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
TEST_F(WorkerTest, RequestWhoseOwnThreadCallsTakesNoneOfAWorker) {
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

TEST_F(WorkerTest, NextPieceOfWorkIsAnother) {
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
TEST_F(WorkerTest, WhoDoesNotAnswerDidNotWait) {
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
TEST_F(WorkerTest, WhoAnswersAnotherLeftItsOwnBehind) {
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

// The handler returned and its request is answered by a future later; the thread reads the next.
TEST_F(UnparkRuleTest, ThreadWorksOnWhatItReadLast) {
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

// The one that waits for a lock was at work when the call was sent.
TEST_F(UnparkRuleTest, WhoWaitsForALockDoesNotWaitForTheResponse) {
  const auto s1 = Read(JavaThread(21));
  const auto c = Send();
  const auto s2 = Read(JavaThread(22));
  const auto s3 = Read(JavaThread(23));
  Unpark(23, 30);
  Receive(c);
  Unpark(31, 22);
  Unpark(31, 23);
  Unpark(31, 21);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  End(s3, JavaThread(23));
  Settle();
  EXPECT_TRUE(w.IsChild(c, s1));
}

TEST_F(UnparkRuleTest, TwoThatWaitedSinceTheCallAreOneTooMany) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c = Send();
  Receive(c);
  Unpark(31, 22);
  Unpark(31, 21);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// A thread that is not known to work on a request may have waited for the response, too.
TEST_F(UnparkRuleTest, AnUnknownThreadIsOneTooMany) {
  const auto s = Read(JavaThread(21));
  const auto c = Send();
  Receive(c);
  Unpark(31, 21);
  Unpark(31, 50);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// Workers of the client wake each other for more work.
TEST_F(UnparkRuleTest, WorkersOfTheClientPassNothingOn) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c1 = Send();
  Receive(c1, 32);
  Unpark(32, 21);
  End(s1, JavaThread(21));
  const auto c2 = Send();
  Receive(c2);
  Unpark(31, 32);
  Unpark(32, 22);
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsRoot(c2));
}

// One that waited for a lock wakes whoever waits for what it did before.
TEST_F(UnparkRuleTest, TwoPathsFromOneResponse) {
  const auto s1 = Read(JavaThread(21));
  const auto s2 = Read(JavaThread(22));
  const auto c = Send();
  Receive(c);
  Unpark(31, 50);
  Unpark(31, 21);
  Unpark(50, 22);
  End(s1, JavaThread(21));
  End(s2, JavaThread(22));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// What was taken for a pool's worker that waited turns out to be one of the client's.
TEST_F(UnparkRuleTest, WorkerOfTheClientThatWasNotKnownYet) {
  const auto s = Read(JavaThread(21));
  const auto c = Send();
  Receive(c);
  Unpark(31, 32);
  Unpark(32, 21);
  Receive(Send(), 32);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(UnparkRuleTest, NobodyWaitsForWhoWaitedThroughTwo) {
  const auto s = Read(JavaThread(21));
  const auto c = Send();
  Receive(c);
  Unpark(31, 50);
  Unpark(50, 51);
  Unpark(51, 21);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// What the client's thread does next has nothing to do with the response.
TEST_F(UnparkRuleTest, ResponseIsGivenToOneWorker) {
  const auto s = Read(JavaThread(21));
  const auto c = Send();
  Receive(c);
  Unpark(40, 32);
  Unpark(32, 21);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// submit, submit, get, get: each piece is called for by a thread of the pool that waits itself.
TEST_F(UnparkRuleTest, TwoPiecesOfWorkThatCall) {
  const auto s = Read(JavaThread(21));
  const auto c1 = Send();
  const auto c2 = Send();
  Receive(c1);
  Unpark(31, 50);
  Unpark(50, 21);
  Receive(c2);
  Unpark(31, 51);
  Unpark(51, 21);
  End(s, JavaThread(21));
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s));
  EXPECT_TRUE(w.IsChild(c2, s));
}

// From JDK 21 on threads have numbers. Nothing is said before one was seen to keep its own.
TEST_F(UnparkRuleTest, ThreadsThatKeepTheirNumbers) {
  const auto call = [&](ExchangeId& request) {
    request = Read(JavaThread(21, 7));
    const auto sent = Send();
    Receive(sent);
    Unpark(31, 21);
    End(request, JavaThread(21, 7));
    return sent;
  };
  ExchangeId s1 = 0;
  ExchangeId s2 = 0;
  const auto c1 = call(s1);
  const auto c2 = call(s2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

TEST_F(UnparkRuleTest, CarriersOfVirtualThreadsAreWokenForAny) {
  for (const uint64_t number : {7, 7, 8, 9, 9}) {
    const auto s = Read(JavaThread(21, number));
    const auto c = Send();
    Receive(c);
    Unpark(31, 21);
    const auto other = Read(JavaThread(22, number + 10));
    if (number == 7) {
      w.Finish(other);
      w.Finish(s);
      continue;
    }
    w.Finish(s);
    w.Finish(other);
    Settle();
    EXPECT_TRUE(w.IsRoot(c)) << number;
  }
}

}  // namespace
}  // namespace sonde::trace
