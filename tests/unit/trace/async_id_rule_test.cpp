// SPDX-License-Identifier: Apache-2.0
// Node's async ids: intervals, turns, and what happens when a queue makes them lie.
#include "trace/async_id_rule.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint32_t kTgid = 10;
const Execution kMain = {.tgid = kTgid, .tid = kTgid, .id = 0, .runtime = RuntimeKind::kNode};

class AsyncIdTest : public ::testing::Test {
 protected:
  // At a socket event: what runs, what triggered it, how many ids there are.
  void Ids(ConnectionId connection, uint64_t execution, uint64_t trigger, uint64_t counter) {
    w.Says(ExecutionChange::kAsyncIds, kMain, execution, trigger, connection, counter);
  }
  ExchangeId Read(const Link& on, uint64_t counter) {
    Ids(on.server.id, 0, 0, counter);
    w.Receives(on.server.id, kMain);
    return w.Read(on, kMain);
  }
  ExchangeId Send(const Link& on, uint64_t execution, uint64_t trigger, uint64_t counter) {
    Ids(on.client.id, execution, trigger, counter);
    return w.Send(on, kMain);
  }
  void Response(const Link& on, ExchangeId call, uint64_t counter) {
    Ids(on.client.id, 0, 0, counter);
    w.Receives(on.client.id, kMain);
    w.Respond(call, kMain);
    w.End(call);
  }
  void Answer(const Link& on, ExchangeId request, uint64_t counter) {
    Ids(on.server.id, 1, 1, counter);
    w.Respond(request, kMain);
    w.End(request);
  }
  void OtherTurn(uint64_t counter) { Ids(0, 0, 0, counter); }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  World w;
  const Link s1 = w.Connect();
  const Link s2 = w.Connect();
  const Link a = w.Connect();
  const Link b = w.Connect();
};

// Both requests want the one connection: the second waits in the agent's queue and is sent in the
// turn of the first one's response, under an id of its own turn.
TEST_F(AsyncIdTest, QueuedCallBelongsToWhoQueuedIt) {
  const auto r1 = Read(s1, 100);
  const auto c1 = Send(a, 103, 101, 105);  // ids 101 .. 105 are of r1's turn
  const auto r2 = Read(s2, 106);
  const auto r3 = Read(b, 110);  // 107 .. 110: r2's turn
  Response(a, c1, 111);
  const auto c2 = Send(a, 113, 108, 114);
  Answer(s1, r1, 115);
  Response(a, c2, 116);
  Answer(s2, r2, 117);
  Answer(b, r3, 118);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
  EXPECT_EQ(w.Method(c2), "async_id");
}

// A timer that runs right after a request was read: another turn.
TEST_F(AsyncIdTest, TimerIsNobodysTurn) {
  const auto r1 = Read(s1, 100);
  OtherTurn(104);
  const auto c = Send(a, 106, 20, 107);
  Response(a, c, 108);
  OtherTurn(109);
  Answer(s1, r1, 110);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// What a request's timer sends has an id of the request's turn, or is known by the answer.
TEST_F(AsyncIdTest, TimerOfARequest) {
  const auto r1 = Read(s1, 100);
  OtherTurn(104);  // 101 .. 104: r1's turn; the timer is 102
  const auto c1 = Send(a, 102, 101, 105);
  OtherTurn(110);
  const auto c2 = Send(b, 0, 0, 111);  // after an await: no ids
  Response(a, c1, 112);
  Response(b, c2, 113);
  Answer(s1, r1, 114);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r1));
}

// A timer asks for a connection, and when that is made, another request has been read last.
TEST_F(AsyncIdTest, FirstCallOfAConnectionIsNotTheLastTurns) {
  const auto r1 = Read(s1, 100);
  OtherTurn(104);
  w.Says(ExecutionChange::kConnects, kMain, 0, 0, a.client.id, 106);
  const auto r2 = Read(s2, 107);
  const auto c = Send(a, 105, 105, 110);
  Response(a, c, 111);
  Answer(s1, r1, 112);
  Answer(s2, r2, 113);
  Settle();
  EXPECT_TRUE(w.IsChild(c, r1));
}

// undici: the ids name whose response freed the connection. The answers tell otherwise, and from
// then on they alone count.
TEST_F(AsyncIdTest, IdsThatLieAreFoundOut) {
  uint64_t counter = 100;
  const auto round = [&](bool linked) {
    const auto r1 = Read(s1, counter += 5);
    const auto r2 = Read(s2, counter += 5);
    const auto c = Send(a, counter + 1, counter, counter + 3);  // ids of r2's turn, but it is r1's
    Response(a, c, counter += 5);
    Answer(s1, r1, counter += 2);
    Answer(s2, r2, counter += 2);
    Settle();
    EXPECT_FALSE(w.IsChild(c, r2));
    EXPECT_EQ(w.IsChild(c, r1), linked);
  };
  round(true);  // nothing had borne the ids out yet
  round(true);
}

// The same for a call that was queued before sonde came: its turn is not known.
TEST_F(AsyncIdTest, QueuedCallFromBeforeIsNobodys) {
  const auto r1 = Read(s1, 100);
  const auto c1 = Send(a, 103, 101, 105);
  Response(a, c1, 111);
  const auto c2 = Send(a, 103, 50, 114);
  Response(a, c2, 116);
  OtherTurn(117);
  Answer(s1, r1, 118);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsRoot(c2));
}

// HTTP/2: several requests come in one piece, and the calls of several go out in one.
class SharedConnectionTest : public AsyncIdTest {
 protected:
  template <typename Do>
  auto OnStream(Do what) {
    w.stream = ++stream_;
    const auto id = what();
    w.stream = 0;
    return id;
  }
  // nghttp2 is given a request, which gets the next stream, or the response of the last one.
  void Calls(const Link& on, uint64_t execution, uint64_t trigger) {
    w.Says(ExecutionChange::kCalls, kMain, execution, trigger, on.client.id, stream_ + 1);
  }
  void Answers(const Link& on) {
    w.Says(ExecutionChange::kAnswers, kMain, 0, 0, on.server.id, stream_);
  }
  // What came on a stream is given to JavaScript, within `execution`.
  void Gives(ConnectionId connection, uint32_t stream, uint64_t counter, uint64_t execution = 0) {
    w.Says(ExecutionChange::kStream, kMain, execution, stream, connection, counter);
  }

  uint32_t stream_ = 0;
};

TEST_F(SharedConnectionTest, RequestsOfOnePieceAreToldApartByNobody) {
  const auto r1 = OnStream([&] { return Read(s1, 100); });
  const auto r2 = OnStream([&] { return w.Read(s1, kMain); });
  const auto c = Send(a, 103, 101, 105);
  Response(a, c, 111);
  Answer(s1, r1, 115);
  w.Finish(r2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

TEST_F(SharedConnectionTest, ACallThatIsSentWithOthersIsNobodys) {
  const auto r1 = Read(s1, 100);
  const auto c = OnStream([&] { return Send(a, 103, 101, 105); });
  w.Finish(c);
  Answer(s1, r1, 115);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// What runs when responses of several calls came in one piece is not the last caller's.
TEST_F(SharedConnectionTest, WhatItsResponsesSetOffIsNobodys) {
  const auto r1 = Read(s1, 100);
  const auto c1 = OnStream([&] { return Send(a, 103, 101, 105); });
  const auto r2 = Read(s2, 110);
  const auto c2 = OnStream([&] { return Send(a, 113, 111, 115); });
  Response(a, c2, 120);
  w.Finish(c1);
  const auto further = Send(b, 122, 121, 125);  // ids of that piece's turn
  Response(b, further, 130);
  Answer(s1, r1, 131);
  Answer(s2, r2, 135);
  Settle();
  EXPECT_FALSE(w.IsChild(further, r2));
}

TEST_F(SharedConnectionTest, ACallIsOfTheTurnThatMadeIt) {
  const auto r1 = Read(s1, 100);
  Calls(a, 0, 0);
  const auto c1 = OnStream([&] { return Send(a, 0, 0, 105); });
  const auto r2 = Read(s2, 110);
  Calls(a, 0, 0);
  OtherTurn(115);
  const auto c2 = OnStream([&] { return Send(a, 0, 0, 116); });
  w.Finish(c2);
  w.Finish(c1);
  Answer(s1, r1, 131);
  Answer(s2, r2, 135);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
  EXPECT_EQ(w.Method(c1), "async_id");
}

// The first bytes of a connection make it ready for all who wait; what runs then has an id of the
// request that asked for it.
TEST_F(SharedConnectionTest, WhoWaitedForTheConnectionIsNotKnown) {
  const auto r1 = Read(s1, 100);
  w.Says(ExecutionChange::kConnects, kMain, 103, 101, a.client.id, 105);
  const auto r2 = Read(s2, 106);
  Ids(a.client.id, 104, 103, 110);
  w.Receives(a.client.id, kMain);
  Calls(a, 104, 103);
  const auto c = OnStream([&] { return Send(a, 0, 0, 111); });
  w.Finish(c);
  Answer(s1, r1, 115);
  Answer(s2, r2, 120);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// The handler answers in the turn of its call's response: that was made for it.
TEST_F(SharedConnectionTest, TheLastCallIsKnownByWhenTheAnswerIsMade) {
  const auto r1 = OnStream([&] { return Read(s1, 100); });
  const auto c = Send(a, 103, 101, 105);
  Response(a, c, 111);
  Answers(s1);
  OtherTurn(112);
  Answer(s1, r1, 115);
  Settle();
  EXPECT_TRUE(w.IsChild(c, r1));
}

TEST_F(SharedConnectionTest, AnAnswerThatIsMadeLaterSaysNothing) {
  const auto r1 = OnStream([&] { return Read(s1, 100); });
  const auto c = Send(a, 103, 101, 105);
  Response(a, c, 111);
  OtherTurn(112);
  Answers(s1);
  Answer(s1, r1, 115);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// One read brings two requests; each is given to its handler by itself.
TEST_F(SharedConnectionTest, WhatEachStreamSetsOffIsItsOwn) {
  const auto r1 = OnStream([&] { return Read(s1, 100); });
  const auto r2 = OnStream([&] { return w.Read(s1, kMain); });
  Gives(s1.server.id, 1, 100);
  Gives(s1.server.id, 2, 105);
  Ids(a.client.id, 107, 0, 108);
  const auto c2 = w.Send(a, kMain);
  OtherTurn(110);
  Ids(b.client.id, 103, 0, 111);  // a timer that the first one set
  const auto c1 = w.Send(b, kMain);
  w.Finish(c1);
  w.Finish(c2);
  Answer(s1, r1, 115);
  Answer(s1, r2, 116);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
}

// Its promises wait until the other streams were given, too.
TEST_F(SharedConnectionTest, AStreamWithinSomethingElseIsNobodysTurn) {
  const auto r1 = OnStream([&] { return Read(s1, 100); });
  Gives(s1.server.id, 1, 100, 50);
  const auto c = Send(a, 0, 0, 108);
  w.Finish(c);
  Answer(s1, r1, 115);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
}

// Two calls one after the other: the second is made when what came on the first one's stream is
// given, under ids of the connection, which another request asked for.
TEST_F(SharedConnectionTest, ACallAfterAResponse) {
  const auto other = Read(s2, 90);
  const auto r1 = Read(s1, 100);
  Calls(a, 0, 0);
  const auto c1 = OnStream([&] { return Send(a, 0, 0, 105); });
  w.Receives(a.client.id, kMain);
  w.Finish(c1);
  Gives(a.client.id, 1, 110);
  Calls(a, 92, 91);
  const auto c2 = OnStream([&] { return Send(a, 0, 0, 115); });
  w.Receives(a.client.id, kMain);
  w.Finish(c2);
  Gives(a.client.id, 2, 120);
  Answer(s1, r1, 125);
  Answer(s2, other, 126);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r1));
}

// A queue makes the call of one request in the turn of another: the answers alone count then.
TEST_F(SharedConnectionTest, TurnsThatLieAreFoundOut) {
  const auto r1 = Read(s1, 100);
  const auto r2 = Read(s2, 110);
  Calls(a, 0, 0);
  const auto c = OnStream([&] { return Send(a, 0, 0, 120); });
  w.Receives(a.client.id, kMain);
  w.Finish(c);
  Gives(a.client.id, 1, 125);
  Answer(s1, r1, 130);
  Answer(s2, r2, 131);
  Settle();
  EXPECT_TRUE(w.IsChild(c, r1));
}

TEST_F(AsyncIdTest, WorkersOfTheProcessAreNotTheMainThread) {
  const Execution worker = {.tgid = kTgid, .tid = 12, .id = 0, .runtime = RuntimeKind::kNode};
  const auto r1 = Read(s1, 100);
  const auto c = w.Send(a, worker);
  w.Finish(c);
  ASSERT_TRUE(w.Out(c));
  Answer(s1, r1, 105);
  EXPECT_TRUE(w.IsRoot(c));
}

}  // namespace
}  // namespace sonde::trace
