// SPDX-License-Identifier: Apache-2.0
// Event loops in C: linked when borne out backwards, left alone when they batch.
#include "trace/socket_rule.h"

#include <gtest/gtest.h>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

const Execution kLoop = World::Thread(10, 10);

class SocketRuleTest : public ::testing::Test {
 protected:
  ExchangeId Read(const Link& on) {
    w.Receives(on.server.id, kLoop);
    return w.Read(on, kLoop);
  }
  ExchangeId Send(const Link& on) { return w.Send(on, kLoop); }
  void Response(const Link& on, ExchangeId call) {
    w.Receives(on.client.id, kLoop);
    w.Respond(call, kLoop);
    w.End(call);
  }
  void Answer(ExchangeId request) {
    w.Respond(request, kLoop);
    w.End(request);
  }
  bool GateClosed() const { return w.Metric("sonde_link_gates_closed_total", "socket") > 0; }
  void Settle() { w.Tick(TraceStage::kLateClientNs); }

  World w;
  const Link s1 = w.Connect();
  const Link s2 = w.Connect();
  const Link a = w.Connect();
  const Link b = w.Connect();
};

TEST_F(SocketRuleTest, ProxyWithTwoRequestsAtOnce) {
  const auto r1 = Read(s1);
  const auto c1 = Send(a);
  const auto r2 = Read(s2);
  const auto c2 = Send(b);
  Response(b, c2);
  Answer(r2);
  Response(a, c1);
  Answer(r1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
  EXPECT_EQ(w.Method(c1), "socket");
  EXPECT_FALSE(GateClosed());
}

// connect(2) in the request's turn, the bytes in another.
TEST_F(SocketRuleTest, FirstCallOfAConnection) {
  const auto r1 = Read(s1);
  w.Says(ExecutionChange::kConnects, kLoop, 0, 0, a.client.id);
  const auto r2 = Read(s2);
  const auto c1 = Send(a);
  Response(a, c1);
  Answer(r1);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
}

TEST_F(SocketRuleTest, OneCallAfterTheOther) {
  const auto r1 = Read(s1);
  const auto r2 = Read(s2);
  const auto c1 = Send(a);  // r2's
  Response(a, c1);
  const auto d1 = Send(b);
  Response(b, d1);
  Answer(r2);
  Answer(r1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r2));
  EXPECT_TRUE(w.IsChild(d1, r2));
}

TEST_F(SocketRuleTest, NotBorneOutIsNotLinked) {
  const auto r1 = Read(s1);
  const auto c1 = Send(a);
  const auto r2 = Read(s2);
  Response(a, c1);
  const auto r3 = Read(b);  // something else came in before the answer
  Answer(r1);
  Answer(r2);
  Answer(r3);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
}

TEST_F(SocketRuleTest, ContradictionClosesTheGate) {
  const auto r1 = Read(s1);
  const auto r2 = Read(s2);
  const auto c = Send(a);  // by the thread's last request it is r2's
  Response(a, c);
  Answer(r1);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_TRUE(GateClosed());
}

TEST_F(SocketRuleTest, BatchesCloseTheGate) {
  const auto r1 = Read(s1);
  const auto r2 = Read(s2);
  const auto c1 = Send(a);
  const auto c2 = Send(b);
  Response(b, c2);
  Answer(r2);
  Response(a, c1);
  Answer(r1);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsRoot(c2));
  EXPECT_TRUE(GateClosed());
}

// Their handshakes end one after the other, which is not told.
TEST_F(SocketRuleTest, FirstCallsOverTlsAreNobodys) {
  w.plain_text = true;
  const auto r1 = Read(s1);
  const auto r2 = Read(s2);
  const auto c2 = Send(b);
  const auto c1 = Send(a);
  Response(a, c1);
  Answer(r1);
  Response(b, c2);
  Answer(r2);
  const auto r3 = Read(s1);
  const auto r4 = Read(s2);
  const auto c3 = Send(b);  // r4's, on the connection that r2 opened
  Response(b, c3);
  Answer(r4);
  w.Receives(s2.server.id, kLoop);
  Answer(r3);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsRoot(c2));
  EXPECT_TRUE(w.IsChild(c3, r4));
  EXPECT_FALSE(GateClosed());
}

// HTTP/2: several requests in one piece.
class SharedSocketTest : public SocketRuleTest {
 protected:
  ExchangeId ReadStream(const Link& on) {
    w.stream = stream_ += 2;
    const auto request = w.Read(on, kLoop);
    w.stream = 0;
    return request;
  }
  void Receive(const Link& on) { w.Receives(on.server.id, kLoop); }

 private:
  uint32_t stream_ = 1;
};

TEST_F(SharedSocketTest, TheAnswerTellsWhichOfThemCalled) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  const auto r2 = ReadStream(s1);
  const auto c1 = Send(a);
  const auto c2 = Send(b);
  Response(b, c2);
  Answer(r2);
  Response(a, c1);
  Answer(r1);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
  EXPECT_FALSE(GateClosed());
}

TEST_F(SharedSocketTest, WhatIsReadInSeveralPiecesIsReadTogether) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  Receive(s1);
  const auto r2 = ReadStream(s1);
  const auto c1 = Send(a);
  const auto c2 = Send(b);
  Response(a, c1);
  Answer(r1);
  Response(b, c2);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsChild(c1, r1));
  EXPECT_TRUE(w.IsChild(c2, r2));
}

TEST_F(SharedSocketTest, SomeAreAnsweredAtOnce) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  const auto r2 = ReadStream(s1);
  const auto r3 = ReadStream(s1);
  Answer(r1);
  const auto c2 = Send(a);
  Answer(r3);
  Response(a, c2);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsChild(c2, r2));
  EXPECT_FALSE(GateClosed());
}

// What comes for an earlier request of the connection is not news of the last one.
TEST_F(SharedSocketTest, BytesWithoutARequestAreNobodys) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  Receive(s1);  // still together
  const auto r2 = Read(s2);
  Receive(s1);  // a window's update
  const auto c = Send(a);
  Response(a, c);
  Answer(r1);
  Receive(s2);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c));
  EXPECT_FALSE(GateClosed());
}

// A loop that writes when it has read everything: which response the answer is for is not certain.
TEST_F(SharedSocketTest, TwoResponsesBeforeTheAnswerAreAmbiguous) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  const auto r2 = ReadStream(s1);
  const auto c1 = Send(a);
  const auto c2 = Send(b);
  Response(a, c1);
  Response(b, c2);
  Answer(r1);
  Receive(s2);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(w.IsRoot(c2));
}

TEST_F(SharedSocketTest, MoreCallsThanRequestsCloseTheGate) {
  Receive(s1);
  const auto r1 = ReadStream(s1);
  const auto r2 = ReadStream(s1);
  const auto c1 = Send(a);
  const auto c2 = Send(b);
  const auto c3 = Send(s2);
  Response(a, c1);
  Answer(r1);
  Response(b, c2);
  Answer(r2);
  w.Finish(c3);
  Settle();
  EXPECT_TRUE(GateClosed());
}

TEST_F(SharedSocketTest, AnAnswerToNoneOfThemClosesTheGate) {
  const auto other = Read(s2);
  Receive(s1);
  const auto r1 = ReadStream(s1);
  const auto r2 = ReadStream(s1);
  const auto c1 = Send(a);
  Response(a, c1);
  Answer(other);
  Answer(r1);
  Answer(r2);
  Settle();
  EXPECT_TRUE(w.IsRoot(c1));
  EXPECT_TRUE(GateClosed());
}

}  // namespace
}  // namespace sonde::trace
