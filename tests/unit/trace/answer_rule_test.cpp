// SPDX-License-Identifier: Apache-2.0
// When the one who answers is taken for the one who called, and everything that must keep it from
// that.
#include "trace/answer_rule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;

Execution Context(uint64_t id) {
  return {.tgid = kTgid, .tid = kTgid, .id = id, .runtime = RuntimeKind::kPython};
}
Execution Thread(uint64_t id) {
  Execution by = Context(id);
  by.is_thread = true;
  return by;
}
Execution Goroutine(uint64_t id, uint32_t tid = 11) {
  return {.tgid = kTgid, .tid = tid, .id = id, .runtime = RuntimeKind::kGo};
}
Execution Virtual(uint64_t id, uint32_t carrier) {
  return {.tgid = kTgid, .tid = carrier, .id = id, .runtime = RuntimeKind::kJava};
}
Execution Stream(uint64_t task, uint32_t tid = 11) {
  return {.tgid = kTgid, .tid = tid, .id = task, .runtime = RuntimeKind::kHaproxy};
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

// The address of a context that is freed is soon another's: of a maker, before its child calls ...
TEST_F(AnswerRuleTest, WhoHasTheAddressOfAMakerIsNotTheMaker) {
  const auto s2 = Read(loop);
  const auto s1 = Read(loop);
  Copied(1, 50);
  Copied(50, 100);
  Copied(1, 50);
  const auto c1 = Call(Context(100));
  Answer(s2, Context(50));
  Answer(s1, Context(100));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
}

// ... or after it ...
TEST_F(AnswerRuleTest, NorIsItLater) {
  const auto s2 = Read(loop);
  const auto s1 = Read(loop);
  Copied(1, 50);
  Copied(50, 100);
  const auto c1 = Call(Context(100));
  Copied(1, 50);
  Answer(s2, Context(50));
  Answer(s1, Context(100));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
}

// ... or of one that is not done with its answer yet.
TEST_F(AnswerRuleTest, WhoHasTheAddressOfOneThatAnswersDoesNot) {
  const auto s1 = Read(loop);
  w.Respond(s1, Context(100));
  const auto s2 = Read(loop);
  Copied(1, 100);
  const auto c2 = Call(Context(100));
  w.End(s1);
  Answer(s2, Context(100));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c2, s2));
}

TEST_F(AnswerRuleTest, GreenletsByTheirStacks) {
  const auto one = Thread(0x1002);
  const auto two = Thread(0x2002);
  const auto s1 = Read(one);
  const auto s2 = Read(two);
  const auto c2 = Call(two);
  const auto c1 = Call(one);
  const auto other = Call(Thread(0x3002));  // of nobody
  Answer(s1, one);
  Answer(s2, two);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_TRUE(w.IsRoot(other));
}

// It makes a Context for itself when it first needs one.
TEST_F(AnswerRuleTest, GreenletThatGetsAContext) {
  const auto own = Thread(0x5001);
  const auto s1 = Read(Thread(0x1002));
  const auto c1 = Call(own);
  Answer(s1, own);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
}

// A thread that serves two connections at once: before that, and after it, whom it answers says
// nothing about whom it called for.
TEST_F(AnswerRuleTest, ThreadsOfLoopsAreNoGreenlets) {
  const auto thread = Thread(0x1002);
  const auto s1 = Read(thread);
  const auto c1 = Call(thread);
  const auto s2 = Read(thread);
  Answer(s2, thread);
  Answer(s1, thread);
  const auto s3 = Read(thread);
  const auto c3 = Call(thread);
  Answer(s3, thread);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsRoot(c3));
}

TEST_F(AnswerRuleTest, PipelinedRequestsMakeNoLoop) {
  const auto thread = Thread(0x1002);
  const auto connection = w.Connect();
  const auto s1 = w.Read(connection, thread);
  const auto s2 = w.Read(connection, thread);
  const auto c1 = Call(thread);
  Answer(s1, thread);
  const auto c2 = Call(thread);
  Answer(s2, thread);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
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

// asyncio.wait_for around the send: the handler's task makes the one that answers.
TEST_F(AnswerRuleTest, WhoMakesTheOneThatAnswers) {
  const auto s1 = Read(loop);
  const auto s2 = Read(loop);
  Copied(1, 100);
  Copied(1, 200);
  const auto c1 = Call(Context(100));
  Copied(200, 210);
  const auto c2 = Call(Context(210));
  Copied(200, 220);
  Copied(220, 221);
  Answer(s2, Context(221));
  Copied(100, 110);
  Answer(s1, Context(110));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// A task that was there before the request makes those that answer for others, too.
TEST_F(AnswerRuleTest, WhoMadeTheOneThatAnswersBeforeIsNotIts) {
  Answer(Read(loop), Context(900));
  Copied(1, 100);
  const auto s1 = Read(loop);
  const auto own = Call(Context(100));
  Copied(100, 110);
  const auto others = Call(Context(110));
  Copied(100, 120);
  Answer(s1, Context(120));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(own));
  EXPECT_TRUE(w.IsRoot(others));
}

// ... and one that is made for a request may go on to the next.
TEST_F(AnswerRuleTest, WhatAMakerCallsLaterIsNotTheRequests) {
  const auto s1 = Read(loop);
  Copied(1, 100);
  Copied(100, 110);
  Copied(100, 120);
  const auto own = Call(Context(100));
  const auto others = Call(Context(120));
  Answer(s1, Context(110));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(own));
  EXPECT_TRUE(w.IsRoot(others));
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

// A handler's goroutine makes another, which makes the one that calls: not known until it is asked
// for.
TEST_F(AnswerRuleTest, GoroutinesOfGoroutinesOnDemand) {
  const Execution nobody = Goroutine(0);
  const auto nested = [&](uint64_t child) {
    const Link a = w.Connect();
    const auto c = w.Send(a, Goroutine(90));
    w.Says(ExecutionChange::kAwaited, nobody, child, child + 1, a.client.id);
    w.Respond(c, Goroutine(92));
    w.End(c);
    return c;
  };
  const auto s1 = Read(Goroutine(21));
  const auto background = nested(1);
  Answer(s1, Goroutine(21));
  EXPECT_TRUE(w.stage->TakeDemands().empty());
  const auto s2 = Read(Goroutine(21));
  const auto unknown = nested(31);
  Answer(s2, Goroutine(21));
  EXPECT_EQ(w.stage->TakeDemands(), std::vector<uint32_t>{kTgid});
  const auto s3 = Read(Goroutine(21));
  w.Says(ExecutionChange::kMade, nobody, 21, 41);
  w.Says(ExecutionChange::kMade, nobody, 41, 42);
  const auto known = nested(41);
  const auto still_unknown = nested(51);
  Answer(s3, Goroutine(21));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(background));
  EXPECT_TRUE(w.IsRoot(unknown));
  EXPECT_TRUE(w.IsRoot(still_unknown));
  EXPECT_TRUE(w.IsChild(known, s3));
  EXPECT_TRUE(w.stage->TakeDemands().empty());  // once
}

// Before Go 1.21 no maker is told. That a writer is unknown is no reason to ask.
TEST_F(AnswerRuleTest, MakersOfOldGoroutinesOnDemand) {
  const auto s1 = Read(Goroutine(21));
  const auto sent = w.Send(w.Connect(), Goroutine(90));
  w.Respond(sent, Goroutine(92));
  w.End(sent);
  Answer(s1, Goroutine(21));
  EXPECT_TRUE(w.stage->TakeDemands().empty());
  const auto s2 = Read(Goroutine(21));
  const Link a = w.Connect();
  const auto c = w.Send(a, Goroutine(90));
  w.Says(ExecutionChange::kAwaited, Goroutine(0), 0, 31, a.client.id);
  w.Respond(c, Goroutine(92));
  w.End(c);
  Answer(s2, Goroutine(21));
  EXPECT_EQ(w.stage->TakeDemands(), std::vector<uint32_t>{kTgid});
}

// Who dials for one call, and the writer that it makes, serve whichever call gets the connection.
TEST_F(AnswerRuleTest, GoWriterIsNotItsMakers) {
  const Execution nobody = Goroutine(0);
  const auto s1 = Read(Goroutine(21));
  const auto s2 = Read(Goroutine(22));
  w.Says(ExecutionChange::kMade, nobody, 21, 50);
  w.Says(ExecutionChange::kMade, nobody, 50, 51);
  const Link a = w.Connect();
  const auto c2 = w.Send(a, Goroutine(51));
  w.Respond(s1, Goroutine(21));
  w.Says(ExecutionChange::kAwaited, nobody, 2, 22, a.client.id);
  w.Respond(c2, Goroutine(52));
  w.End(c2);
  w.End(s1);
  Answer(s2, Goroutine(22));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// Who sends and receives has nobody write for it.
TEST_F(AnswerRuleTest, GoCallerWithoutAWriter) {
  const auto s1 = Read(Goroutine(21));
  w.Says(ExecutionChange::kMade, Goroutine(0), 21, 50);
  w.Says(ExecutionChange::kMade, Goroutine(0), 50, 51);
  const auto c1 = Call(Goroutine(51));
  Answer(s1, Goroutine(21));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
}

// HTTP/2: which stream's response the goroutine waits for is not known.
TEST_F(AnswerRuleTest, ThreadsOfGoAreNobody) {
  const auto s = Read(Goroutine(21, 11));
  const auto c = Call(Goroutine(90, 11));  // the same thread
  Answer(s, Goroutine(21, 11));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
}

// HTTP/2 of Go: goroutine 5 reads all requests of the connection, 6 writes all answers.
class GoStreamTest : public AnswerRuleTest {
 protected:
  ExchangeId ReadStream(uint32_t stream) {
    w.stream = stream;
    const ExchangeId request = w.Read(connection, reader);
    w.stream = 0;
    return request;
  }
  // A call that shares its connection with others; goroutine 7 sends for all.
  ExchangeId CallStream(uint32_t stream, Execution writer = Goroutine(7)) {
    w.stream = stream;
    const ExchangeId call = w.Send(upstream, writer);
    w.stream = 0;
    w.Respond(call, Goroutine(8));
    w.End(call);
    return call;
  }
  void Serves(uint64_t goroutine, uint32_t stream, uint64_t of = 5) {
    w.Says(ExecutionChange::kServes, Goroutine(0), of, goroutine, 0, stream);
  }
  void Calls(uint64_t caller, uint32_t stream, uint64_t writer = 7) {
    w.Says(ExecutionChange::kCalls, Goroutine(0), writer, caller, 0, stream);
  }
  void AnswerAll(std::initializer_list<ExchangeId> requests) {
    for (const ExchangeId request : requests) Answer(request, Goroutine(6));
    w.Tick(TraceStage::kLateClientNs);
  }

  const Link connection = w.Connect();
  const Link upstream = w.Connect();
  const Execution reader = Goroutine(5);
};

TEST_F(GoStreamTest, CallsAreTheirsWhoServeAStream) {
  const auto s1 = ReadStream(1);
  const auto s3 = ReadStream(3);
  Serves(103, 3);
  Serves(101, 1);
  const auto c1 = Call(Goroutine(101));
  const auto c3 = Call(Goroutine(103));
  // A goroutine that the one of stream 1 started.
  w.Says(ExecutionChange::kMade, Goroutine(0), 101, 201);
  const auto d1 = Call(Goroutine(201));
  AnswerAll({s3, s1});
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(d1, s1));
  EXPECT_TRUE(w.IsChild(c3, s3));
  EXPECT_EQ(w.Method(c1), "goroutine");
}

// The writer sends some answer while it also sends a call: that says nothing.
TEST_F(GoStreamTest, WhoWritesAnswersHasNotWorkedForThem) {
  const auto s1 = ReadStream(1);
  const auto c = Call(Goroutine(6));
  w.Says(ExecutionChange::kMade, Goroutine(0), 6, 66);
  const auto d = Call(Goroutine(66));
  AnswerAll({s1});
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_TRUE(w.IsRoot(d));
}

// Two connections have streams of one number.
TEST_F(GoStreamTest, AStreamIsOneOfItsConnection) {
  const auto s1 = ReadStream(1);
  w.stream = 1;
  const Link other = w.Connect();
  const auto t1 = w.Read(other, Goroutine(15));
  w.stream = 0;
  Serves(301, 1, 15);
  const auto c = Call(Goroutine(301));
  const auto d = Call(Goroutine(101));
  AnswerAll({s1, t1});
  EXPECT_TRUE(w.IsChild(c, t1));
  EXPECT_TRUE(w.IsRoot(d));
}

// Who reads is not known, and so is whose goroutine it was that made the one that serves.
TEST_F(GoStreamTest, NobodyIsNotAReader) {
  w.stream = 1;
  const auto s1 = w.Read(connection, Goroutine(0));
  w.stream = 0;
  Serves(101, 1, 0);
  const auto c = Call(Goroutine(101));
  AnswerAll({s1});
  EXPECT_TRUE(w.IsRoot(c));
}

// net/http tells the socket; over TLS it is the text that carries the request.
TEST_F(GoStreamTest, OfASocketOrOfItsText) {
  const auto serves = [&](uint64_t goroutine, uint32_t stream, ConnectionId socket,
                          ConnectionId text) {
    w.Says(ExecutionChange::kServes, Goroutine(0), text, goroutine, socket, stream);
  };
  const auto s1 = ReadStream(1);
  const auto s3 = ReadStream(3);
  serves(101, 1, connection.server.id, 999);
  serves(103, 3, 998, connection.server.id);
  serves(105, 3, 998, 997);
  const auto c1 = Call(Goroutine(101));
  const auto c3 = Call(Goroutine(103));
  const auto c5 = Call(Goroutine(105));
  AnswerAll({s1, s3});
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c3, s3));
  EXPECT_TRUE(w.IsRoot(c5));
}

// Its record was held back by a hole.
TEST_F(GoStreamTest, WhoServesIsToldBeforeTheRequestIs) {
  const auto other = ReadStream(1);
  Serves(103, 3);
  const auto s3 = ReadStream(3);
  const auto c = Call(Goroutine(103));
  AnswerAll({other, s3});
  EXPECT_TRUE(w.IsChild(c, s3));
}

TEST_F(GoStreamTest, TwoThatServeOneStreamAreNobody) {
  const auto s1 = ReadStream(1);
  Serves(101, 1);
  const auto c = Call(Goroutine(101));
  Serves(101, 1);  // a probe that was passed twice
  Serves(102, 1);
  const auto d = Call(Goroutine(102));
  AnswerAll({s1});
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_TRUE(w.IsRoot(d));
}

// A goroutine that was made before it came to serve this stream worked for another.
TEST_F(GoStreamTest, WhatWasMadeBeforeIsNotTheStreams) {
  const auto s1 = ReadStream(1);
  const auto s3 = ReadStream(3);
  Serves(101, 1);
  w.Says(ExecutionChange::kMade, Goroutine(0), 101, 201);
  AnswerAll({s1});
  Serves(101, 3);
  const auto c = Call(Goroutine(201));
  AnswerAll({s3});
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(GoStreamTest, CallsOnASharedConnectionAreTheirsWhoMadeThem) {
  const auto s1 = ReadStream(1);
  const auto s3 = ReadStream(3);
  Serves(101, 1);
  Serves(103, 3);
  Calls(103, 41);
  Calls(101, 43);
  const auto c3 = CallStream(41);
  const auto c1 = CallStream(43);
  AnswerAll({s1, s3});
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c3, s3));
}

// The connection's writer was made by whoever called first: that is not who calls now.
TEST_F(GoStreamTest, WhatIsNotToldOfASharedWriterIsNotItsMakers) {
  const auto s1 = ReadStream(1);
  Serves(101, 1);
  w.Says(ExecutionChange::kMade, Goroutine(0), 101, 7);
  Calls(101, 41);
  const auto told = CallStream(41);
  const auto untold = CallStream(43);
  AnswerAll({s1});
  EXPECT_TRUE(w.IsChild(told, s1));
  EXPECT_TRUE(w.IsRoot(untold));
}

// net/http's client: a goroutine for each call, made by the caller, sends it.
TEST_F(GoStreamTest, WhereNoWriterIsSharedTheSenderTells) {
  const auto s1 = ReadStream(1);
  Serves(101, 1);
  w.Says(ExecutionChange::kMade, Goroutine(0), 101, 201);
  const auto c = CallStream(41, Goroutine(201));
  AnswerAll({s1});
  EXPECT_TRUE(w.IsChild(c, s1));
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

// Multiplexers read; tasks of streams write, once the connection is there.
TEST_F(AnswerRuleTest, HaproxyStreamsByTheirTasks) {
  const auto s1 = Read(Stream(1));
  const auto s2 = Read(Stream(1));
  const auto c2 = Call(Stream(200));
  const auto c1 = Call(Stream(100));
  Answer(s1, Stream(100));
  Answer(s2, Stream(200));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
  EXPECT_EQ(w.Method(c1), "task");
}

TEST_F(AnswerRuleTest, HaproxyFirstCallIsOfTheTaskThatConnected) {
  const auto s1 = Read(Stream(1));
  const auto s2 = Read(Stream(1));
  Link a = w.Connect();
  w.Says(ExecutionChange::kConnects, Stream(0), 100, 0, a.client.id);
  const auto c1 = w.Send(a, Stream(7));  // a tasklet of the connection
  w.Receives(a.client.id, Stream(7));
  w.Finish(c1);
  Answer(s1, Stream(100));
  World::Next(a);
  const auto c2 = w.Send(a, Stream(200));
  w.Receives(a.client.id, Stream(7));
  w.Finish(c2);
  Answer(s2, Stream(200));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c1, s1));
  EXPECT_TRUE(w.IsChild(c2, s2));
}

// The first call was lost: the next is not by who connected.
TEST_F(AnswerRuleTest, HaproxyConnectorIsForgottenWhenBytesCame) {
  const auto s1 = Read(Stream(1));
  const auto s2 = Read(Stream(1));
  const Link a = w.Connect();
  w.Says(ExecutionChange::kConnects, Stream(0), 100, 0, a.client.id);
  w.Receives(a.client.id, Stream(7));
  const auto c = w.Send(a, Stream(200));
  w.Finish(c);
  Answer(s1, Stream(100));
  Answer(s2, Stream(200));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c, s2));
}

// The task of a stream that ended before its answer was over serves another.
TEST_F(AnswerRuleTest, HaproxyTaskThatAnsweredComesAgain) {
  const auto s1 = Read(Stream(1));
  w.Respond(s1, Stream(100));
  const auto s2 = Read(Stream(1));
  const auto c = Call(Stream(100));
  Answer(s2, Stream(100));
  w.End(s1);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(c, s2));
}

TEST_F(AnswerRuleTest, HaproxyCallOfNoTaskIsNobodys) {
  const auto s = Read(Stream(1));
  const auto c = Call(Stream(0));
  Answer(s, Stream(0));
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(c));
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
