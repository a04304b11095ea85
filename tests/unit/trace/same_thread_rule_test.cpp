// SPDX-License-Identifier: Apache-2.0
// When the same-thread rule links, and everything that must keep it from linking.
#include "trace/same_thread_rule.h"

#include <gtest/gtest.h>

#include <vector>

#include "sonde/base/metrics.h"
#include "trace/link_rule.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

const Execution kA = World::Thread(10, 11);
const Execution kB = World::Thread(10, 12);

class SameThreadTest : public ::testing::Test {
 protected:
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  ExchangeId Send(Execution by) { return w.Send(w.Connect(), by); }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }
  bool GateClosed() const { return w.Metric("sonde_link_gates_closed_total", "thread") > 0; }

  World w;
};

TEST_F(SameThreadTest, ThreadPerRequestInterleaved) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  const auto c1 = Send(kA);
  const auto c2 = Send(kB);
  const auto c3 = Send(kB);
  w.Finish(c2);
  w.Finish(c1);
  w.Finish(s1);
  w.Finish(c3);
  w.Finish(s2);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_TRUE(w.IsChild(c3, s2));
  EXPECT_FALSE(GateClosed());
}

TEST_F(SameThreadTest, OneThreadServesOneAfterTheOther) {
  for (int i = 0; i < 5; ++i) {
    const auto s = Read(kA);
    const auto c = Send(kA);
    w.Finish(c);
    w.Finish(s);
    Settle();
    EXPECT_TRUE(w.IsChild(c, s));
  }
}

TEST_F(SameThreadTest, CallOutsideAnyRequestIsARootAtOnce) {
  const auto s = Read(kA);
  w.Finish(s);
  const auto c = Send(kA);
  w.Finish(c);
  ASSERT_TRUE(w.Out(c));
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SameThreadTest, CallOfAnotherThreadIsNotLinked) {
  const auto s = Read(kA);
  const auto c = Send(kB);
  w.Finish(c);
  w.Finish(s);
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SameThreadTest, TwoOpenRequestsCloseTheGateForGood) {
  const auto s1 = Read(kA);
  const auto c1 = Send(kA);
  const auto s2 = Read(kA);
  w.Finish(c1);
  w.Finish(s1);
  w.Finish(s2);
  ASSERT_TRUE(w.Out(c1));
  EXPECT_TRUE(w.IsRoot(c1));
  const auto s3 = Read(kB);  // any thread of the process
  const auto c3 = Send(kB);
  w.Finish(c3);
  w.Finish(s3);
  EXPECT_TRUE(w.IsRoot(c3));
  EXPECT_EQ(w.Metric("sonde_link_gates_closed_total", "thread"), 1);
}

class JavaThreadTest : public SameThreadTest {
 protected:
  static Execution Java(uint32_t tid) {
    return {.tgid = 10, .tid = tid, .id = 0, .runtime = RuntimeKind::kJava};
  }
  void Wake(uint32_t tid) { w.Says(ExecutionChange::kWoken, Java(99), 99, tid); }
};

// A handler that answers later, from another thread, beside one that blocks.
TEST_F(JavaThreadTest, PoolThreadLeavesARequestBehind) {
  Wake(21);
  const auto later = Read(Java(21));
  const auto stray = Send(Java(21));
  const auto s = Read(Java(21));
  const auto c = Send(Java(21));
  w.Respond(c, Java(21));
  w.End(c);
  w.Respond(stray, Java(40));
  w.End(stray);
  w.Finish(s);
  w.Respond(later, Java(40));
  w.End(later);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
  EXPECT_TRUE(w.IsRoot(stray));
  EXPECT_FALSE(GateClosed());
}

TEST_F(JavaThreadTest, AfterThatOnlyWhatItWaitedForIsItsOwn) {
  Wake(21);
  const auto later = Read(Java(21));
  const auto s = Read(Java(21));
  const auto other = Send(Java(21));
  const auto c = Send(Java(21));
  w.Respond(other, Java(21));
  w.End(other);
  w.Respond(c, Java(40));
  w.End(c);
  w.Finish(s);
  w.Respond(later, Java(40));
  w.End(later);
  Settle();
  EXPECT_TRUE(w.IsRoot(other));
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(JavaThreadTest, LoopReceivesAResponseAfterTheNextRequest) {
  Wake(21);  // waited for a lock
  const auto s1 = Read(Java(21));
  const auto c1 = Send(Java(21));
  const auto s2 = Read(Java(21));
  w.Respond(c1, Java(21));
  w.End(c1);
  EXPECT_TRUE(GateClosed());
  w.Finish(s1);
  w.Finish(s2);
}

TEST_F(JavaThreadTest, ThreadThatNobodyWokeMayBeALoop) {
  const auto s1 = Read(Java(21));
  const auto s2 = Read(Java(21));
  const auto c = Send(Java(21));
  w.Respond(c, Java(21));
  w.End(c);
  w.Finish(s2);
  w.Finish(s1);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_FALSE(GateClosed());
}

TEST_F(SameThreadTest, GateOfOneProcessIsNotThatOfAnother) {
  Read(kA);
  Read(kA);
  const Execution other = World::Thread(99, 99);
  const auto s = Read(other);
  const auto c = Send(other);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

TEST_F(SameThreadTest, NewProcessWithTheOldNumberStartsAfresh) {
  Read(kA);
  Read(kA);
  w.stage->OnProcessExit(kA.tgid);
  const auto s = Read(kA);
  const auto c = Send(kA);
  w.Finish(c);
  w.Finish(s);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

TEST_F(SameThreadTest, ExitReleasesWaitingCalls) {
  Read(kA);
  const auto c = Send(kA);
  w.Finish(c);
  EXPECT_FALSE(w.Out(c));
  w.stage->OnProcessExit(kA.tgid);
  ASSERT_TRUE(w.Out(c));
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SameThreadTest, AnsweredByAnotherThread) {
  const auto s = Read(kA);
  const auto c = Send(kA);
  w.Finish(c);
  w.Respond(s, kB);
  w.End(s);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SameThreadTest, ThreadAnsweredSomebodyElseInBetween) {
  const auto s1 = Read(kA);
  const auto s2 = Read(kB);
  const auto before = Send(kA);
  w.Finish(before);
  w.Respond(s2, kA);
  const auto after = Send(kA);
  w.Finish(after);
  w.End(s2);
  w.Finish(s1);
  Settle();
  EXPECT_TRUE(w.IsRoot(before));
  EXPECT_TRUE(w.IsRoot(after));
}

TEST_F(SameThreadTest, CallThatOutlivesItsRequest) {
  const auto s = Read(kA);
  const auto c = Send(kA);
  w.Finish(s);
  w.Finish(c);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_NE(w.Of(c).trace_id, w.Of(s).trace_id);
}

TEST_F(SameThreadTest, UnansweredRequestLinksNothing) {
  const auto s = Read(kA);
  const auto c = Send(kA);
  w.Finish(c);
  w.End(s, Unfinished::kConnectionClosed);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SameThreadTest, PipelinedRequestsLinkNothingButKeepTheGateOpen) {
  Link link = w.Connect();
  const auto s1 = w.Read(link, kA);
  const auto c = Send(kA);
  World::Next(link);
  const auto s2 = w.Read(link, kA);
  w.Finish(c);
  w.Finish(s1);
  w.Finish(s2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_FALSE(GateClosed());
  const auto s3 = Read(kA);
  const auto c3 = Send(kA);
  w.Finish(c3);
  w.Finish(s3);
  Settle();
  EXPECT_TRUE(w.IsChild(c3, s3));
}

TEST_F(SameThreadTest, StreamingResponseWithACallInside) {
  const auto s = Read(kA);
  w.Respond(s, kA);
  const auto c = Send(kA);
  w.Finish(c);
  w.End(s);
  Settle();
  EXPECT_TRUE(w.IsChild(c, s));
}

TEST(SameThreadRuleTest, ForgetsThreadsWithoutOpenRequests) {
  MetricRegistry metrics;
  SameThreadRule rule(metrics);
  std::vector<Verdict> verdicts;
  for (ExchangeId id = 1; id <= 1000; ++id) {
    const Execution by = World::Thread(5, static_cast<uint32_t>(id));
    rule.OnRequestRead({.id = id, .connection = id, .first_by = by, .last_by = by}, verdicts);
    EXPECT_EQ(rule.threads(), 1U);
    rule.OnRequestEnded({.id = id, .requested_by = by, .complete = true}, verdicts);
  }
  EXPECT_EQ(rule.threads(), 0U);
  EXPECT_TRUE(verdicts.empty());
}

TEST(SameThreadRuleTest, EveryHeldCallGetsOneVerdictAndTheNumberIsBounded) {
  MetricRegistry metrics;
  SameThreadRule rule(metrics);
  std::vector<Verdict> verdicts;
  rule.OnRequestRead({.id = 1, .connection = 1, .first_by = kA, .last_by = kA}, verdicts);
  size_t held = 0;
  for (ExchangeId id = 2; id < 10'000; ++id) {
    if (rule.OnCallSent({.id = id, .connection = 2, .first_by = kA, .last_by = kA})) ++held;
  }
  EXPECT_EQ(held, SameThreadRule::kMaxCallsPerRequest);
  rule.OnAnswerStarted({.id = 1, .by = kA}, verdicts);
  rule.OnRequestEnded({.id = 1, .requested_by = kA, .complete = true}, verdicts);
  EXPECT_EQ(verdicts.size(), held);
}

TEST(SameThreadRuleTest, PacketsHaveNoThreads) {
  MetricRegistry metrics;
  SameThreadRule rule(metrics);
  std::vector<Verdict> verdicts;
  rule.OnRequestRead({.id = 1, .connection = 1, .first_by = {}, .last_by = {}}, verdicts);
  EXPECT_EQ(rule.threads(), 0U);
  EXPECT_FALSE(rule.OnCallSent({.id = 2, .connection = 2, .first_by = {}, .last_by = {}}));
}

}  // namespace
}  // namespace sonde::trace
