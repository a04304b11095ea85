// SPDX-License-Identifier: Apache-2.0
// The trace stage as conversations.
#include "trace/trace_stage.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

constexpr uint64_t kHoldNs = 5'000'000'000;
const std::string kIncoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const std::string kSdk = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-00";

TEST(TraceStageTest, LoneServerRequestIsARootAtOnce) {
  World w;
  const auto s = w.Read(w.Connect(), World::Thread(10, 10));
  EXPECT_FALSE(w.Out(s));
  w.Finish(s);
  ASSERT_TRUE(w.Out(s));
  EXPECT_TRUE(w.IsRoot(s));
  EXPECT_TRUE(w.Of(s).trace_id.valid());
  EXPECT_TRUE(w.Of(s).span_id.valid());
  EXPECT_EQ(w.Of(s).trace_flags, 1);
  EXPECT_FALSE(w.Of(s).trace_from_header);
  EXPECT_EQ(w.Metric("sonde_spans_total", "http1"), 1);
}

TEST(TraceStageTest, HeaderGivesTraceAndRemoteParent) {
  World w;
  const auto s = w.Read(w.Connect(), World::Thread(10, 10), kIncoming);
  w.Finish(s);
  EXPECT_EQ(w.Of(s).trace_id.ToHex(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(w.Of(s).parent_span_id.ToHex(), "00f067aa0ba902b7");
  EXPECT_TRUE(w.Of(s).parent_is_remote);
  EXPECT_TRUE(w.Of(s).trace_from_header);
  EXPECT_EQ(w.Method(s), "traceparent");
  EXPECT_EQ(w.Metric("sonde_links_total", "traceparent"), 1);
}

TEST(TraceStageTest, ThreeHopsAreOneTrace) {
  World w;
  const auto a = World::Thread(10, 10);
  const auto b = World::Thread(20, 21);
  const auto c = World::Thread(30, 31);
  const Link ab = w.Connect();
  const Link bc = w.Connect();
  const auto front = w.Read(w.Connect(), a);
  const auto call1 = w.Send(ab, a);
  const auto middle = w.Read(ab, b);
  const auto call2 = w.Send(bc, b);
  const auto back = w.Read(bc, c);
  w.Finish(back);
  EXPECT_FALSE(w.Out(back));  // its trace id is not known yet
  w.Finish(call2);
  w.Finish(middle);
  w.Finish(call1);
  EXPECT_TRUE(w.spans.empty());
  EXPECT_EQ(w.Metric("sonde_spans_held"), 4);
  w.Finish(front);
  w.Tick(TraceStage::kLateClientNs);  // front is still looked for
  ASSERT_EQ(w.spans.size(), 5U);
  EXPECT_TRUE(w.IsRoot(front));
  EXPECT_TRUE(w.IsChild(call1, front));
  EXPECT_TRUE(w.IsChild(middle, call1));
  EXPECT_TRUE(w.IsChild(call2, middle));
  EXPECT_TRUE(w.IsChild(back, call2));
  EXPECT_EQ(w.Method(call1), "thread");
  EXPECT_EQ(w.Method(middle), "connection");
  EXPECT_EQ(w.Metric("sonde_spans_held"), 0);
  EXPECT_FALSE(w.Of(back).parent_is_remote);
}

TEST(TraceStageTest, ConnectionWinsOverTheSameHeader) {
  World w({.sdk_processes = SdkPolicy::kDuplicate});
  const Link link = w.Connect();
  const auto call = w.Send(link, World::Thread(10, 10), kSdk);
  const auto server = w.Read(link, World::Thread(20, 20), kSdk);
  w.Finish(server);
  EXPECT_TRUE(w.Out(server));  // the SDK's header settled the trace already
  w.Finish(call);
  EXPECT_EQ(w.Method(call), "traceparent");
  EXPECT_EQ(w.Of(call).parent_span_id.ToHex(), "1111111111111111");
  EXPECT_EQ(w.Of(call).trace_flags, 0);
  EXPECT_TRUE(w.IsChild(server, call));
  EXPECT_EQ(w.Of(server).trace_flags, 0);
  EXPECT_TRUE(w.Of(server).trace_from_header);
  EXPECT_FALSE(w.Of(server).parent_is_remote);
}

TEST(TraceStageTest, ProxyThatPassesTheHeaderOn) {
  World w;
  const auto loop = World::Thread(10, 10);
  const auto other =
      w.Read(w.Connect(), loop);  // two open requests: the thread rule is out of the game
  const auto s = w.Read(w.Connect(), loop, kIncoming);
  const auto call = w.Send(w.Connect(), loop, kIncoming);
  w.Finish(call);
  w.Finish(s);
  w.Finish(other);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(call, s));
  EXPECT_EQ(w.Method(call), "traceparent");
  EXPECT_EQ(w.Of(s).parent_span_id.ToHex(), "00f067aa0ba902b7");
}

TEST(TraceStageTest, SameContextTwiceOpenFallsBackToTheHeader) {
  World w;
  const auto loop = World::Thread(10, 10);
  const auto s1 = w.Read(w.Connect(), loop, kIncoming);
  const auto s2 = w.Read(w.Connect(), loop, kIncoming);
  const auto call = w.Send(w.Connect(), loop, kIncoming);
  w.Finish(call);
  w.Finish(s1);
  w.Finish(s2);
  ASSERT_TRUE(w.Out(call));
  EXPECT_EQ(w.Of(call).parent_span_id.ToHex(), "00f067aa0ba902b7");
  EXPECT_TRUE(w.Of(call).parent_is_remote);
}

TEST(TraceStageTest, SdkContextOfTheCallWinsOverTheThread) {
  World w({.sdk_processes = SdkPolicy::kDuplicate});
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t, kIncoming);
  const auto call = w.Send(w.Connect(), t, kSdk);
  w.Finish(call);
  EXPECT_EQ(w.Of(call).parent_span_id.ToHex(), "1111111111111111");
  w.Finish(s);
}

TEST(TraceStageTest, ServerRecordBeforeItsClient) {
  World w;
  // Some client must have been seen, or nothing would wait.
  w.Finish(w.Send(w.Connect(), World::Thread(1, 1)));
  const Link link = w.Connect();
  const auto server = w.Read(link, World::Thread(20, 20));
  const auto call = w.Send(link, World::Thread(10, 10));
  w.Finish(server);
  w.Finish(call);
  EXPECT_TRUE(w.IsChild(server, call));
}

TEST(TraceStageTest, ClientRecordAfterTheWholeAnswer) {
  World w;
  w.Finish(w.Send(w.Connect(), World::Thread(1, 1)));
  const Link link = w.Connect();
  const auto server = w.Read(link, World::Thread(20, 20));
  w.Finish(server);
  EXPECT_FALSE(w.Out(server));
  const auto call = w.Send(link, World::Thread(10, 10));
  EXPECT_TRUE(w.Out(server));  // the call is a root, so its trace is known
  w.Finish(call);
  EXPECT_TRUE(w.IsChild(server, call));
}

TEST(TraceStageTest, NoClientComes) {
  World w;
  w.Finish(w.Send(w.Connect(), World::Thread(1, 1)));
  const auto server = w.Read(w.Connect(), World::Thread(20, 20), kIncoming);
  w.Finish(server);
  w.Tick(TraceStage::kLateClientNs - 1'000);
  EXPECT_FALSE(w.Out(server));
  w.Tick(1'000);
  ASSERT_TRUE(w.Out(server));
  EXPECT_EQ(w.Method(server), "traceparent");
  EXPECT_EQ(w.Metric("sonde_links_released_early_total", "hold"), 0);
}

TEST(TraceStageTest, OtherPositionIsAnotherMessage) {
  World w;
  Link link = w.Connect();
  const auto call = w.Send(link, World::Thread(10, 10));
  World::Next(link);
  const auto server = w.Read(link, World::Thread(20, 20));
  w.Finish(server);
  w.Finish(call);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(server));
}

TEST(TraceStageTest, LoopbackOfAnotherNamespaceIsAnotherConnection) {
  World w;
  Link link = w.Connect();
  const auto call = w.Send(link, World::Thread(10, 10));
  link.server.netns = 8;
  const auto server = w.Read(link, World::Thread(20, 20));
  w.Finish(server);
  w.Finish(call);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(server));
}

TEST(TraceStageTest, JoinsThroughNatByPosition) {
  World w;
  Link link = w.Connect();
  for (ConnectionInfo* info : {&link.client, &link.server}) {
    info->local.address = {10, 0, 0, 5};
    info->remote.address = {10, 0, 0, 9};
  }
  link.server.remote.port = 61'000;  // masqueraded
  link.server.remote.address = {172, 17, 0, 1};
  link.server.local.address = {172, 17, 0, 2};
  const auto call = w.Send(link, World::Thread(10, 10));
  const auto server = w.Read(link, World::Thread(20, 20));
  w.Finish(server);
  w.Finish(call);
  EXPECT_TRUE(w.IsChild(server, call));
}

TEST(TraceStageTest, TwoCallsWithOnePositionAreNotJoinedThroughNat) {
  World w;
  Link one = w.Connect();
  Link two = w.Connect();
  Link three = w.Connect();
  two.position = three.position = one.position;
  for (Link* link : {&one, &two, &three}) {
    link->client.remote.address = link->server.local.address = {10, 0, 0, 9};
    link->client.local.address = link->server.remote.address = {10, 0, 0, 5};
  }
  const auto call1 = w.Send(one, World::Thread(10, 10));
  const auto call2 = w.Send(two, World::Thread(11, 11));
  const auto server = w.Read(three, World::Thread(20, 20));
  w.Finish(server);
  w.Finish(call1);
  w.Finish(call2);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(server));
}

// The kernel's stamps are of the calls' returns: the server may have read and answered before the
// client's send returned, and the client may have read the answer before the server's send
// returned.
TEST(TraceStageTest, TheEndsOfAConnectionAreInOrder) {
  World w;
  w.Finish(w.Send(w.Connect(),
                  World::Thread(10, 10)));  // from the first call on, servers wait for late clients
  const Link link = w.Connect();
  const auto server = w.Read(link, World::Thread(20, 20));
  const auto call = w.Send(link, World::Thread(10, 10));
  w.Finish(call);
  w.Finish(server);
  ASSERT_TRUE(w.IsChild(server, call));
  EXPECT_EQ(w.Of(call).start_wall_ns, w.Of(server).start_wall_ns);
  EXPECT_EQ(w.Of(server).end_wall_ns, w.Of(call).end_wall_ns);
}

TEST(TraceStageTest, ACallThatWasBrokenOffDoesNotEndItsServer) {
  World w;
  const Link link = w.Connect();
  const auto call = w.Send(link, World::Thread(10, 10));
  const auto server = w.Read(link, World::Thread(20, 20));
  w.End(call, Unfinished::kConnectionClosed);
  w.Finish(server);
  ASSERT_TRUE(w.IsChild(server, call));
  EXPECT_GT(w.Of(server).end_wall_ns, w.Of(call).end_wall_ns);
}

TEST(TraceStageTest, WhatIsBrokenOffEndsWhenItIsGivenUp) {
  World w;
  const auto server = w.Read(w.Connect(), World::Thread(20, 20));
  w.Tick(1'000'000);
  w.End(server, Unfinished::kConnectionClosed);
  EXPECT_GE(w.Of(server).end_wall_ns - w.Of(server).start_wall_ns, 1'000'000U);
}

TEST(TraceStageTest, UnixSocketsJoinByTheClientsId) {
  World w;
  Link link = w.Connect();
  link.client.transport = link.server.transport = Transport::kUnix;
  link.client.peer = 0;
  link.server.peer = link.client.id;
  link.position = 0;
  const auto call = w.Send(link, World::Thread(10, 10));
  const auto server = w.Read(link, World::Thread(20, 20));
  w.Finish(server);
  w.Finish(call);
  EXPECT_TRUE(w.IsChild(server, call));
}

TEST(TraceStageTest, HeldCallGoesOnWhenItsTimeIsUp) {
  World w;
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t);  // a stream that stays open
  const Link link = w.Connect();
  const auto call = w.Send(link, t);
  const auto child = w.Read(link, World::Thread(20, 20));
  w.Finish(child);
  w.Finish(call);
  EXPECT_TRUE(w.spans.empty());
  w.Tick(kHoldNs + 10);
  ASSERT_TRUE(w.Out(call));
  ASSERT_TRUE(w.Out(child));
  EXPECT_TRUE(w.IsRoot(call));
  EXPECT_TRUE(w.IsChild(child, call));
  EXPECT_GE(w.Metric("sonde_links_released_early_total", "hold"), 1);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(s));
}

TEST(TraceStageTest, ChildOfAnEndlessCallIsReleased) {
  World w;
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t);
  const Link link = w.Connect();
  const auto call = w.Send(link, t);
  const auto child = w.Read(link, World::Thread(20, 20));
  w.Finish(child);
  w.Tick(kHoldNs + 10);
  ASSERT_TRUE(w.Out(child));
  w.Finish(call);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  // The trace id that the child left with is its parent's.
  EXPECT_TRUE(w.IsChild(child, call));
  EXPECT_TRUE(w.IsRoot(call));
}

TEST(TraceStageTest, HeldSpansAreBounded) {
  World w({.max_held_spans = 10});
  const auto s = w.Read(w.Connect(), World::Thread(10, 10));
  std::vector<ExchangeId> calls;
  for (int i = 0; i < 30; ++i) {
    calls.push_back(w.Send(w.Connect(), World::Thread(10, 10)));
    w.Finish(calls.back());
  }
  EXPECT_EQ(w.spans.size(), 20U);
  EXPECT_EQ(w.Metric("sonde_spans_held"), 10);
  EXPECT_EQ(w.Metric("sonde_links_released_early_total", "limit"), 20);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(calls[0]));
  EXPECT_TRUE(w.IsChild(calls[29], s));
}

TEST(TraceStageTest, ShutdownSendsEverything) {
  World w;
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t);
  const Link link = w.Connect();
  const auto call = w.Send(link, t);
  const auto child = w.Read(link, World::Thread(20, 20));
  w.Finish(child);
  w.Finish(call);
  w.End(s, Unfinished::kShutdown);
  w.stage->Shutdown();
  EXPECT_EQ(w.spans.size(), 3U);
  EXPECT_TRUE(w.IsChild(child, call));
  EXPECT_TRUE(w.IsRoot(call));  // the answer was never seen
}

TEST(TraceStageTest, ResponseWithoutItsRequestStillGivesASpan) {
  World w;
  const auto info = w.Connect().server;
  Exchange exchange;
  exchange.id = 77;
  exchange.protocol = "http1";
  exchange.connection = &info;
  exchange.response.seen = true;
  exchange.response.first_mono_ns = exchange.response.last_mono_ns = 5;
  exchange.truncated = kTruncatedRequestUnseen;
  w.stage->OnResponseStart(77, exchange.response);
  w.stage->OnExchange(exchange);
  ASSERT_TRUE(w.Out(77));
  EXPECT_TRUE(w.IsRoot(77));
}

TEST(TraceStageTest, RefusesUnknownPropagators) {
  World w;
  MetricRegistry metrics;
  EXPECT_FALSE(
      TraceStage::Create({.propagators = {"tracecontex"}}, w, w, IdGenerator(1), metrics).ok());
  EXPECT_TRUE(TraceStage::Create({.propagators = {"b3", "tracecontext", "baggage", "none"}}, w, w,
                                 IdGenerator(1), metrics)
                  .ok());
}

TEST(TraceStageTest, ADenyWithoutATraceIsARootThatIsNotSampled) {
  World w;
  w.request.headers = {{"b3", "0"}};
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t);
  const auto call = w.Send(w.Connect(), t);
  w.Finish(call);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsRoot(s));
  EXPECT_TRUE(w.IsChild(call, s));
  EXPECT_EQ(w.Of(s).trace_flags, 0);
  EXPECT_TRUE(w.Of(s).trace_from_header);  // the decision is the peer's
}

TEST(TraceStageTest, ADeferredDecisionIsOurs) {
  World w;
  w.request.headers = {{"b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"}};
  const auto s = w.Read(w.Connect(), World::Thread(10, 10));
  w.Finish(s);
  EXPECT_EQ(w.Method(s), "b3");
  EXPECT_TRUE(w.Of(s).parent_is_remote);
  EXPECT_FALSE(w.Of(s).trace_from_header);
}

TEST(TraceStageTest, HeadersAreNotReadWithoutThePropagator) {
  World w({.propagators = {"none"}});
  const auto s = w.Read(w.Connect(), World::Thread(10, 10), kIncoming);
  w.Finish(s);
  EXPECT_TRUE(w.IsRoot(s));
}

}  // namespace
}  // namespace sonde::trace
