// SPDX-License-Identifier: Apache-2.0
// When the one who answers is taken for the one who called, and everything that must keep it from
// that.
#include "trace/answer_rule.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;

Execution Context(uint64_t id) {
  return {.tgid = kTgid, .tid = kTgid, .id = id, .runtime = RuntimeKind::kPython};
}
Execution Goroutine(uint64_t id, uint32_t tid = 11) {
  return {.tgid = kTgid, .tid = tid, .id = id, .runtime = RuntimeKind::kGo};
}
Execution Virtual(uint64_t id, uint32_t carrier) {
  return {.tgid = kTgid, .tid = carrier, .id = id, .runtime = RuntimeKind::kJava};
}

class AnswerRuleTest : public ::testing::Test {
 protected:
  // The loop reads, in a context of its own.
  ExchangeId Read(Execution by) { return w.Read(w.Connect(), by); }
  ExchangeId Call(Execution by) {
    const ExchangeId call = w.Send(w.Connect(), by);
    w.Respond(call, by);
    w.End(call);
    return call;
  }
  void Answer(ExchangeId request, Execution by) {
    w.Respond(request, by);
    w.End(request);
  }
  void Copied(uint64_t from, uint64_t to) { w.Says(ExecutionChange::kMade, Context(0), from, to); }

  World w;
  const Execution loop = Context(1);
};

TEST_F(AnswerRuleTest, TasksOfOneLoopInterleaved) {
  const auto s1 = Read(loop);
  const auto s2 = Read(loop);
  const auto c2 = Call(Context(200));
  const auto c1 = Call(Context(100));
  const auto d2 = Call(Context(200));
  Answer(s1, Context(100));
  Answer(s2, Context(200));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_TRUE(w.IsChild(d2, s2));
  EXPECT_EQ(w.Method(c1), "context");
}

TEST_F(AnswerRuleTest, ChildTasksByTheirMakers) {
  const auto s1 = Read(loop);
  const auto s2 = Read(loop);
  Copied(1, 100);
  Copied(1, 200);
  Copied(100, 101);
  Copied(101, 102);
  Copied(200, 201);
  const auto c1 = Call(Context(102));
  const auto c2 = Call(Context(201));
  Answer(s2, Context(200));
  Answer(s1, Context(100));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// A task that a request of a connection left behind, and the connection's task answers the next
// one.
TEST_F(AnswerRuleTest, TaskMadeBeforeTheRequestWasReadIsNotIts) {
  const auto s1 = Read(loop);
  Copied(100, 101);
  Answer(s1, Context(100));
  const auto s2 = Read(loop);
  const auto c = Call(Context(101));
  Answer(s2, Context(100));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(AnswerRuleTest, ContextAtAnOldAddressIsANewOne) {
  const auto s1 = Read(loop);
  Copied(100, 500);
  const auto s2 = Read(loop);
  Copied(200, 500);
  const auto c = Call(Context(500));
  Answer(s1, Context(100));
  Answer(s2, Context(200));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c, s2));
}

// A timer's call while one request is open: its context never answers. The thread is the same.
TEST_F(AnswerRuleTest, BackgroundCallStaysARoot) {
  const auto s = Read(loop);
  const auto c = Call(Context(900));
  EXPECT_FALSE(w.Out(c));  // it could be the open request's
  Answer(s, Context(100));
  ASSERT_TRUE(w.Out(c));  // nothing else it could be
  EXPECT_TRUE(w.IsRoot(c));
  const auto outside = Call(Context(900));
  EXPECT_TRUE(w.IsRoot(outside));
}

TEST_F(AnswerRuleTest, CallWhileTheAnswerStreams) {
  const auto s = Read(loop);
  w.Respond(s, Context(100));
  const auto c = Call(Context(100));
  w.End(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c, s));
}

TEST_F(AnswerRuleTest, CallThatOutlivesItsRequestIsNotContained) {
  const auto s = Read(loop);
  const auto c = w.Send(w.Connect(), Context(100));
  Answer(s, Context(100));
  w.Finish(c);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
}

// net/http: writeLoop sends for everybody; who waits for the response is told when it comes.
TEST_F(AnswerRuleTest, GoCallBelongsToWhoAwaitsIt) {
  const auto s1 = Read(Goroutine(21));
  const auto s2 = Read(Goroutine(22));
  const Link a = w.Connect();
  const Link b = w.Connect();
  const auto c1 = w.Send(a, Goroutine(90));
  const auto c2 = w.Send(b, Goroutine(91));
  w.Says(ExecutionChange::kAwaited, Goroutine(0), 5, 22, b.client.id);
  w.Respond(c2, Goroutine(92));
  w.End(c2);
  // A goroutine that the handler of s1 made for this call.
  w.Says(ExecutionChange::kAwaited, Goroutine(0), 21, 33, a.client.id);
  w.Respond(c1, Goroutine(93));
  w.End(c1);
  Answer(s1, Goroutine(21));
  Answer(s2, Goroutine(22));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "goroutine");
}

// A worker that was made in some request works for others later, while its maker answers on.
TEST_F(AnswerRuleTest, GoWorkerOfAPoolIsNotItsMakers) {
  const Link a = w.Connect();
  const auto job = [&](ExchangeId maker) {
    const auto c = w.Send(a, Goroutine(90));
    w.Says(ExecutionChange::kAwaited, Goroutine(0), 21, 33, a.client.id);
    w.Respond(c, Goroutine(92));
    w.End(c);
    Answer(maker, Goroutine(21));
    w.Tick(TraceStage::kLateClientNs);
    return c;
  };
  const auto s1 = Read(Goroutine(21));
  const auto first = job(s1);
  EXPECT_TRUE(w.IsChild(first, s1));
  const auto s2 = Read(Goroutine(21));
  const auto second = job(s2);
  EXPECT_TRUE(w.IsRoot(second));
}

// HTTP/2: which stream's response the goroutine waits for is not known.
TEST_F(AnswerRuleTest, ThreadsOfGoAreNobody) {
  const auto s = Read(Goroutine(21, 11));
  const auto c = Call(Goroutine(90, 11));  // the same thread
  Answer(s, Goroutine(21, 11));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(AnswerRuleTest, VirtualThreadsShareCarriers) {
  const auto s1 = Read(Virtual(501, 11));
  const auto s2 = Read(Virtual(502, 11));
  const auto c1 = Call(Virtual(501, 12));
  const auto c2 = Call(Virtual(502, 11));
  Answer(s2, Virtual(502, 12));
  Answer(s1, Virtual(501, 11));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "virtual_thread");
}

// The number of a platform thread that runs an event loop says nothing.
TEST_F(AnswerRuleTest, JavaLoopClosesTheGate) {
  const auto s1 = Read(Virtual(40, 11));
  const auto s2 = Read(Virtual(40, 11));
  const auto c = Call(Virtual(40, 11));
  Answer(s1, Virtual(40, 11));
  Answer(s2, Virtual(40, 11));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_EQ(w.Metric("sonde_link_gates_closed_total", "virtual_thread"), 1);
}

TEST_F(AnswerRuleTest, ExitReleasesWhatWaits) {
  Read(loop);
  const auto c = Call(Context(100));
  EXPECT_FALSE(w.Out(c));
  w.stage->OnProcessExit(kTgid);
  EXPECT_TRUE(w.IsRoot(c));
}

}  // namespace
}  // namespace sonde::trace
