// SPDX-License-Identifier: Apache-2.0
// Work that a request's thread leaves to a pool: whose call it is that a thread of the pool sends.
#include "trace/hand_offs.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/trace_stage.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;

Execution Python(uint32_t tid, uint64_t context = 0) {
  return {.tgid = kTgid, .tid = tid, .id = context, .runtime = RuntimeKind::kPython};
}

const Execution kA = Python(11);  // serve requests
const Execution kB = Python(12);
const Execution kPool1 = Python(21);  // work for them
const Execution kPool2 = Python(22);

class HandOffsTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  ExchangeId Send(Execution by) { return w.Send(w.Connect(), by); }
  void Say(ExecutionChange change, Execution by, uint64_t work) {
    const uint64_t from = by.id;
    by.id = 0;
    w.stage->OnExecution(
        {.mono_ns = ++w.now, .change = change, .from = from, .to = work, .by = by});
  }
  void HandOff(Execution by, uint64_t work) { Say(ExecutionChange::kHandsOff, by, work); }
  void TakeUp(Execution by, uint64_t work) { Say(ExecutionChange::kTakesUp, by, work); }
  void Answer(ExchangeId id, Execution by) {
    w.Respond(id, by);
    w.End(id);
  }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  World w;
};

TEST_F(HandOffsTest, ThePiecesOfTwoRequestsInAnyOrder) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  HandOff(kA, 1);
  HandOff(kB, 2);
  TakeUp(kPool2, 2);
  TakeUp(kPool1, 1);
  const auto c1 = Send(kPool1);
  const auto c2 = Send(kPool2);
  w.Finish(c2);
  w.Finish(c1);
  w.Finish(s2);
  w.Finish(s1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "thread");
}

TEST_F(HandOffsTest, OneThreadTakesUpOneAfterTheOther) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  HandOff(kA, 1);
  HandOff(kB, 2);
  TakeUp(kPool1, 1);
  const auto c1 = Send(kPool1);
  w.Finish(c1);
  TakeUp(kPool1, 2);
  const auto c2 = Send(kPool1);
  w.Finish(c2);
  w.Finish(s1);
  w.Finish(s2);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

TEST_F(HandOffsTest, WorkThatNobodyWasSeenToLeaveEndsTheOneBefore) {
  const auto s = Read(kA);
  HandOff(kA, 1);
  TakeUp(kPool1, 1);
  TakeUp(kPool1, 99);
  const auto c = Send(kPool1);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(HandOffsTest, ANumberThatComesAgainIsAnotherPiece) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  HandOff(kA, 1);
  TakeUp(kPool1, 1);
  HandOff(kB, 1);
  TakeUp(kPool2, 1);
  const auto c1 = Send(kPool1);
  const auto c2 = Send(kPool2);
  w.Finish(c1);
  w.Finish(c2);
  w.Finish(s1);
  w.Finish(s2);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

TEST_F(HandOffsTest, WorkWithinWorkIsTheFirstOnes) {
  const auto s = Read(kA);
  HandOff(kA, 1);
  TakeUp(kPool1, 1);
  HandOff(kPool1, 2);
  TakeUp(kPool2, 2);
  const auto c = Send(kPool2);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

// Fire and forget: the thread answers, and is at its next request when the call is made.
TEST_F(HandOffsTest, AnAnswerEndsWhatWasLeftBefore) {
  Link link = w.Connect();
  const auto s1 = w.Read(link, kA);
  HandOff(kA, 1);
  TakeUp(kPool1, 1);
  Answer(s1, kA);
  World::Next(link);
  const auto s2 = w.Read(link, kA);
  const auto c = Send(kPool1);
  w.Finish(c);
  Answer(s2, kA);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// gunicorn: the main thread leaves connections to a pool, whose threads serve the requests.
TEST_F(HandOffsTest, WhoReadsARequestIsAtItsOwn) {
  const Execution main = Python(kTgid);
  HandOff(main, 1);
  TakeUp(kA, 1);
  const auto s = Read(kA);
  const auto c1 = Send(kA);
  w.Finish(c1);
  HandOff(kA, 2);
  TakeUp(kPool1, 2);
  const auto c2 = Send(kPool1);
  w.Finish(c2);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s));
  EXPECT_TRUE(w.IsChild(c2, s));
}

TEST_F(HandOffsTest, WhoServesTakesOutOnlyToThrowAway) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  HandOff(kB, 1);
  HandOff(kA, 2);
  TakeUp(kA, 1);
  const auto c = Send(kA);
  w.Finish(c);
  w.Finish(s1);
  w.Finish(s2);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s1));
}

// An event loop: its thread has many requests open, its tasks have contexts.
TEST_F(HandOffsTest, ATaskLeavesABlockingCallToAPool) {
  const Execution task1 = Python(kTgid, 0x1000);
  const Execution task2 = Python(kTgid, 0x2000);
  const auto s1 = Read(task1);
  const auto s2 = Read(task2);
  HandOff(task1, 1);
  HandOff(task2, 2);
  TakeUp(kPool1, 2);
  TakeUp(kPool2, 1);
  const auto c1 = Send(kPool2);
  const auto c2 = Send(kPool1);
  w.Finish(c1);
  w.Finish(c2);
  Answer(s2, task2);
  Answer(s1, task1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "context");
}

// Left by a task that did not wait for it, and is gone: its context's address is another task's
// now.
TEST_F(HandOffsTest, WhoHasTheAddressOfATaskIsNotTheTask) {
  const Execution loop = Python(kTgid, 0x1);
  const Execution forgets = Python(kTgid, 0x1000);
  const auto s1 = Read(loop);
  HandOff(forgets, 1);
  TakeUp(kPool1, 1);
  w.Says(ExecutionChange::kMade, Python(kTgid), 0x1, 0x1000);
  const auto c = Send(kPool1);
  w.Finish(c);
  Answer(s1, Python(kTgid, 0x1000));
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// grpcio: a thread reads all requests, another leaves them to a pool that calls and answers, each
// in a Context whose address comes again and again and is told by nobody.
class ServingPoolTest : public HandOffsTest {
 protected:
  static constexpr uint64_t kAddress = 0x1000;
  const Execution kReads = Python(31);
  const Execution kLeaves = Python(32, 0x32);
  const Execution kFirst = Python(21, kAddress);
  const Execution kSecond = Python(22, kAddress);
};

TEST_F(ServingPoolTest, APieceCallsAndAnswers) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  HandOff(kLeaves, 1);
  HandOff(kLeaves, 2);
  TakeUp(kFirst, 1);
  TakeUp(kSecond, 2);
  const auto c2 = Send(kSecond);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  w.Finish(c2);
  Answer(s2, kSecond);
  Answer(s1, kFirst);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "context");
}

// Its connection's lock was another thread's, which wrote the answer for it.
TEST_F(ServingPoolTest, WhatAnotherWroteForItIsNotTheNextOnes) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  Answer(s1, kReads);
  HandOff(kLeaves, 2);
  TakeUp(kFirst, 2);
  const auto c2 = Send(kFirst);
  w.Finish(c2);
  Answer(s2, kFirst);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

TEST_F(ServingPoolTest, ANumberThatComesAgainIsNotThePieceBefore) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  HandOff(kLeaves, 1);
  TakeUp(kSecond, 1);
  Answer(s2, kSecond);
  Answer(s1, kReads);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
}

TEST_F(ServingPoolTest, AnswersOfOthersThatAThreadWritesAlongAreNotItsOwn) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  w.Respond(s1, kFirst);
  w.Respond(s2, kFirst);
  const auto late = Send(kFirst);
  w.Finish(late);
  w.End(s2);
  w.End(s1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(late, s1));
}

TEST_F(ServingPoolTest, WhoLeavesRequestsToAPoolIsNoneOfThem) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  const auto s3 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  Answer(s1, kFirst);
  HandOff(kLeaves, 2);
  TakeUp(kFirst, 2);
  const auto c = Send(kFirst);
  w.Finish(c);
  Answer(s3, kLeaves);
  Answer(s2, kFirst);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s2));
}

TEST_F(ServingPoolTest, WorkWithinServingIsForTheSameRequest) {
  const auto s1 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  HandOff(kFirst, 5);
  TakeUp(kSecond, 5);
  const auto c = Send(kSecond);
  w.Finish(c);
  Answer(s1, kFirst);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s1));
}

TEST_F(ServingPoolTest, PiecesThatWereLeftBeforeAnybodyLooked) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  TakeUp(kFirst, 1);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  Answer(s1, kReads);
  TakeUp(kFirst, 2);
  const auto c2 = Send(kFirst);
  w.Finish(c2);
  Answer(s2, kFirst);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// Of a thread that waited for work when sonde came the first piece is not known.
TEST_F(ServingPoolTest, AContextOnAnotherThreadIsAnotherOne) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  const auto c1 = Send(kFirst);
  w.Finish(c1);
  Answer(s1, kReads);
  const auto c2 = Send(kSecond);
  w.Finish(c2);
  Answer(s2, kSecond);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// Nobody waited for it, and its first piece's number is another's.
TEST_F(ServingPoolTest, WorkThatOutlivesTheServingIsNobodys) {
  const auto s1 = Read(kReads);
  const auto s2 = Read(kReads);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  HandOff(kFirst, 5);
  TakeUp(kSecond, 5);
  Answer(s1, kFirst);
  HandOff(kLeaves, 1);
  TakeUp(kFirst, 1);
  const auto c = Send(kSecond);
  w.Finish(c);
  Answer(s2, kFirst);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(HandOffsTest, AnotherProcessHasOtherPieces) {
  const auto s = Read(kA);
  HandOff(kA, 1);
  Execution other = kPool1;
  other.tgid = 99;
  TakeUp(other, 1);
  const auto c = Send(other);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(HandOffsTest, AProcessThatEndsIsForgotten) {
  const auto s = Read(kA);
  HandOff(kA, 1);
  TakeUp(kPool1, 1);
  w.stage->OnProcessExit(kTgid);
  const auto c = Send(kPool1);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

}  // namespace
}  // namespace sonde::trace
