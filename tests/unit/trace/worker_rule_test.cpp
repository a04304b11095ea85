// SPDX-License-Identifier: Apache-2.0
// Workers behind a thread that reads for all, and everything that shows that they are none.
#include "trace/worker_rule.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

Execution Ruby(uint32_t tid) {
  Execution by = World::Thread(10, tid);
  by.runtime = RuntimeKind::kRuby;
  return by;
}

const Execution kReader = Ruby(11);
const Execution kA = Ruby(12);
const Execution kB = Ruby(13);

class WorkerRuleTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  ExchangeId Call(Execution by) {
    const ExchangeId call = w.Send(w.Connect(), by);
    w.Finish(call);
    return call;
  }
  void Answer(ExchangeId request, Execution by) {
    w.Respond(request, by);
    w.End(request);
  }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }
  bool GateClosed() const { return w.Metric("sonde_link_gates_closed_total", "worker") > 0; }

  World w;
};

TEST_F(WorkerRuleTest, AnswersWhatTheReaderRead) {
  const auto r1 = Read(kReader);
  const auto r2 = Read(kReader);
  const auto b1 = Call(kB);
  const auto a1 = Call(kA);
  const auto b2 = Call(kB);
  Answer(r1, kB);
  Answer(r2, kA);
  Settle();
  EXPECT_TRUE(w.IsChild(a1, r2));
  EXPECT_TRUE(w.IsChild(b1, r1));
  EXPECT_TRUE(w.IsChild(b2, r1));
  EXPECT_EQ(w.Method(a1), "worker");
  EXPECT_EQ(w.Metric("sonde_link_gates_closed_total"), 0);
}

// Of which nothing is known: a pool may take the parts of several requests in turn.
TEST_F(WorkerRuleTest, OnlyRuby) {
  const Execution reader = World::Thread(10, 11);
  const Execution worker = World::Thread(10, 12);
  const auto r1 = Read(reader);
  const auto r2 = Read(reader);
  const auto call = Call(worker);
  Answer(r1, worker);
  Answer(r2, worker);
  Settle();
  EXPECT_TRUE(w.IsRoot(call));
}

// Puma: the worker that has just answered on a connection reads from it for a moment.
TEST_F(WorkerRuleTest, WorkerReadsTheNextItself) {
  const auto r1 = Read(kReader);
  const auto r2 = Read(kReader);
  Call(kA);
  Answer(r1, kA);
  const auto own = Read(kA);
  const auto call = Call(kA);
  Answer(own, kA);
  Answer(r2, kB);
  Settle();
  EXPECT_TRUE(w.IsChild(call, own));
  EXPECT_EQ(w.Method(call), "thread");
}

TEST_F(WorkerRuleTest, CallOfThePreviousRequestIsNotTheNextOnes) {
  const auto r1 = Read(kReader);
  const auto r2 = Read(kReader);
  const auto first = Call(kA);
  Answer(r1, kA);
  const auto second = Call(kA);
  Answer(r2, kA);
  Settle();
  EXPECT_TRUE(w.IsChild(first, r1));
  EXPECT_TRUE(w.IsChild(second, r2));
}

TEST_F(WorkerRuleTest, ThreadThatNeverAnswersIsNobodys) {
  const auto r1 = Read(kReader);
  const auto stray = Call(kB);
  Answer(r1, kA);
  EXPECT_TRUE(w.IsRoot(stray));
}

TEST_F(WorkerRuleTest, ReaderThatCallsIsALoop) {
  const auto r1 = Read(kReader);
  const auto r2 = Read(kReader);
  const auto call = Call(kA);
  Call(kReader);
  Answer(r1, kA);
  Answer(r2, kB);
  EXPECT_TRUE(w.IsRoot(call));
  EXPECT_TRUE(GateClosed());
}

TEST_F(WorkerRuleTest, ReaderThatAnswersIsALoop) {
  const auto r1 = Read(kReader);
  const auto r2 = Read(kReader);
  const auto call = Call(kA);
  Answer(r2, kReader);
  Answer(r1, kA);
  EXPECT_TRUE(w.IsRoot(call));
  EXPECT_TRUE(GateClosed());
}

TEST_F(WorkerRuleTest, TwoCallsAtOnce) {
  const auto r1 = Read(kReader);
  const auto call = w.Send(w.Connect(), kA);
  const auto other = w.Send(w.Connect(), kA);
  w.Finish(call);
  w.Finish(other);
  Answer(r1, kA);
  EXPECT_TRUE(w.IsRoot(call));
  EXPECT_TRUE(w.IsRoot(other));
  EXPECT_TRUE(GateClosed());
}

TEST_F(WorkerRuleTest, ResponseThatAnotherThreadReceived) {
  const auto r1 = Read(kReader);
  const auto call = w.Send(w.Connect(), kA);
  w.Respond(call, kB);
  w.End(call);
  Answer(r1, kA);
  EXPECT_TRUE(w.IsRoot(call));
}

// What a worker calls beside requests (after an answer, say) may wait as long as any of them.
TEST_F(WorkerRuleTest, CallOlderThanTheRequestAnsweredNext) {
  const auto r1 = Read(kReader);
  const auto open = Read(kReader);
  Answer(r1, kA);
  const auto beside = Call(kA);
  const auto r2 = Read(kReader);
  const auto call = Call(kA);
  Answer(r2, kA);
  Answer(open, kB);
  EXPECT_TRUE(w.IsRoot(beside));
  EXPECT_TRUE(w.IsRoot(call));
  EXPECT_TRUE(GateClosed());
}

// The request of its first call may have come before anybody looked.
TEST_F(WorkerRuleTest, FirstCallMayBeOfARequestNotSeen) {
  const auto open = Read(kReader);
  const auto unknown = Call(kA);
  const auto r1 = Read(kReader);
  const auto call = Call(kA);
  Answer(r1, kA);
  Answer(open, kB);
  Settle();
  EXPECT_TRUE(w.IsRoot(unknown));
  EXPECT_TRUE(w.IsChild(call, r1));
  EXPECT_FALSE(GateClosed());
}

}  // namespace
}  // namespace sonde::trace
