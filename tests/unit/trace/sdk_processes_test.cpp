// SPDX-License-Identifier: Apache-2.0
// Processes with tracing of their own, as conversations: what is left out, what stays, and who is
// whose parent then.
#include "trace/sdk_processes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/request.h"
#include "trace/trace_stage.h"
#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kIncoming = "00-" + kTrace + "-00f067aa0ba902b7-01";
const std::string kOwn = "00-" + kTrace + "-1111111111111111-01";
const std::string kForeign = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-2222222222222222-01";

const HttpRequest kExport = {.method = "POST",
                             .target = "/v1/traces",
                             .version = "1.1",
                             .headers = {{"content-type", "application/x-protobuf"}}};

void Export(World& w, Execution by) {
  const HttpRequest usual = std::exchange(w.request, kExport);
  w.Finish(w.Send(w.Connect(), by));
  w.request = usual;
}

double LeftOut(const World& w, const std::string& reason = "sdk") {
  return w.Metric("sonde_spans_left_out_total", reason);
}

TEST(SdkProcessesTest, TelemetryExports) {
  const auto is = [](const std::string& method, const std::string& target,
                     std::vector<HttpHeader> headers) {
    return IsTelemetryExport(
        {.method = method, .target = target, .version = "1.1", .headers = std::move(headers)});
  };
  const HttpHeader protobuf = {"content-type", "application/x-protobuf"};
  const HttpHeader json = {"content-type", "application/json; charset=utf-8"};
  const HttpHeader grpc = {"content-type", "application/grpc"};
  const std::string service = "/opentelemetry.proto.collector.trace.v1.TraceService/";
  EXPECT_TRUE(is("POST", "/v1/traces", {protobuf}));
  EXPECT_TRUE(is("POST", "/prefix/v1/traces?key=1", {json}));
  EXPECT_TRUE(is("POST", "/v1/metrics", {protobuf}));
  EXPECT_TRUE(is("POST", "/v1/logs", {json}));
  EXPECT_TRUE(is("POST", service + "Export", {grpc}));
  EXPECT_TRUE(is("POST", "/api/v2/spans", {json}));
  EXPECT_TRUE(is("PUT", "/v0.4/traces", {{"datadog-meta-tracer-version", "2.1"}}));
  EXPECT_FALSE(is("GET", "/v1/traces", {json}));
  EXPECT_FALSE(is("POST", "/v1/traces", {{"content-type", "text/html"}}));
  EXPECT_FALSE(is("POST", "/v1/traces", {}));
  EXPECT_FALSE(is("POST", "/v1/traces/7", {json}));
  EXPECT_FALSE(is("POST", service + "Import", {grpc}));
  EXPECT_FALSE(is("POST", "/v0.4/traces", {json}));
  EXPECT_FALSE(is("", "", {}));
}

TEST(SdkProcessesTest, AnInstrumentedProcessBetweenPlainOnes) {
  World w;
  const auto sdk = World::Thread(20, 20);
  const Link out = w.Connect();
  const auto s = w.Read(w.Connect(), sdk, kIncoming);
  const auto call = w.Send(out, sdk, kOwn);
  const auto plain = w.Read(out, World::Thread(30, 30), kOwn);
  const auto bare = w.Send(w.Connect(), sdk);  // by a library that the SDK does not know
  w.Finish(bare);
  w.Finish(plain);
  w.Finish(call);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_FALSE(w.Out(call));
  EXPECT_FALSE(w.Out(s));  // recognised by its call, before its own end
  EXPECT_EQ(LeftOut(w), 2);
  // The neighbour is the child of the SDK's client span.
  EXPECT_EQ(w.Of(plain).trace_id.ToHex(), kTrace);
  EXPECT_EQ(w.Of(plain).parent_span_id.ToHex(), "1111111111111111");
  EXPECT_TRUE(w.Of(plain).parent_is_remote);
  EXPECT_EQ(w.Method(plain), "traceparent");
  // What the SDK does not cover has the parent that came in.
  EXPECT_EQ(w.Of(bare).trace_id.ToHex(), kTrace);
  EXPECT_EQ(w.Of(bare).parent_span_id.ToHex(), "00f067aa0ba902b7");
  EXPECT_EQ(w.Method(bare), "thread");
  EXPECT_EQ(w.spans.size(), 2U);
  EXPECT_EQ(w.Metric("sonde_spans_held"), 0);
}

TEST(SdkProcessesTest, TheServerMayBeSeenFirst) {
  World w;
  w.Finish(w.Send(w.Connect(), World::Thread(1, 1)));
  const Link link = w.Connect();
  const auto server = w.Read(link, World::Thread(30, 30), kOwn);
  w.Finish(server);
  const auto call = w.Send(link, World::Thread(20, 20), kOwn);
  w.Finish(call);
  EXPECT_FALSE(w.Out(call));
  ASSERT_TRUE(w.Out(server));
  EXPECT_EQ(w.Of(server).parent_span_id.ToHex(), "1111111111111111");
}

TEST(SdkProcessesTest, ContextsThatCameInAreNobodysOwn) {
  World w;
  const auto loop = World::Thread(10, 10);
  const auto s1 = w.Read(w.Connect(), loop, kIncoming);
  const auto s2 = w.Read(w.Connect(), loop, kOwn);  // of the same trace
  const auto call = w.Send(w.Connect(), loop, kIncoming);
  w.Finish(call);
  w.Finish(s1);
  const auto late = w.Send(w.Connect(), loop, kIncoming);  // after the answer
  w.Finish(late);
  w.Finish(s2);
  const auto next = w.Read(w.Connect(), loop, kIncoming);
  w.Finish(next);
  w.Tick(TraceStage::kLateClientNs);
  for (const auto id : {s1, s2, call, late, next}) EXPECT_TRUE(w.Out(id)) << id;
  EXPECT_EQ(LeftOut(w), 0);
}

TEST(SdkProcessesTest, AClientAloneShowsNothingOfTheServers) {
  World w;
  const auto t = World::Thread(10, 10);
  const auto s = w.Read(w.Connect(), t, kIncoming);
  const auto call = w.Send(w.Connect(), t, kForeign);  // a trace of its own
  w.Finish(call);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_FALSE(w.Out(call));
  EXPECT_TRUE(w.Out(s));
}

TEST(SdkProcessesTest, WhoExportsHasAnSdk) {
  World w;
  const auto t = World::Thread(10, 10);
  const auto first = w.Read(w.Connect(), t, kIncoming);
  w.Finish(first);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.Out(first));  // not known yet
  Export(w, World::Thread(10, 11));
  EXPECT_EQ(LeftOut(w, "telemetry"), 1);
  const auto with_header = w.Read(w.Connect(), t, kIncoming);
  w.Finish(with_header);
  const auto root = w.Read(w.Connect(), t);
  w.Finish(root);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_FALSE(w.Out(with_header));
  EXPECT_FALSE(w.Out(root));
  w.stage->OnProcessExit(10);
  const auto reused = w.Read(w.Connect(), t, kIncoming);
  w.Finish(reused);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.Out(reused));
}

TEST(SdkProcessesTest, WhoForwardsExportsHasNot) {
  World w;
  const auto t = World::Thread(10, 10);
  const HttpRequest usual = std::exchange(w.request, kExport);
  const auto received = w.Read(w.Connect(), t);
  w.Finish(w.Send(w.Connect(), t));
  w.Finish(received);
  w.request = usual;
  const auto other = w.Read(w.Connect(), t, kIncoming);
  w.Finish(other);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.Out(other));
  EXPECT_TRUE(w.Out(received));
  EXPECT_EQ(LeftOut(w, "telemetry"), 1);
}

// A plain caller sends no header, so the SDK begins another trace: only sonde's span goes on.
TEST(SdkProcessesTest, WhatAConnectionJoinsStays) {
  World w;
  Export(w, World::Thread(20, 21));
  const Link link = w.Connect();
  const auto front = w.Read(w.Connect(), World::Thread(10, 10), kIncoming);
  const auto call = w.Send(link, World::Thread(10, 10));
  const auto back = w.Read(link, World::Thread(20, 20));
  w.Finish(back);
  w.Finish(call);
  w.Finish(front);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.IsChild(call, front));
  EXPECT_TRUE(w.IsChild(back, call));
}

// ... but one that passes the header on gives the SDK its trace.
TEST(SdkProcessesTest, PlainBetweenInstrumentedIsOneTrace) {
  World w;
  Export(w, World::Thread(20, 21));
  const Link link = w.Connect();
  const auto plain = w.Read(w.Connect(), World::Thread(10, 10), kIncoming);
  const auto call = w.Send(link, World::Thread(10, 10), kIncoming);
  const auto back = w.Read(link, World::Thread(20, 20), kIncoming);
  const auto bare = w.Send(w.Connect(), World::Thread(20, 20));
  w.Finish(bare);
  w.Finish(back);
  w.Finish(call);
  w.Finish(plain);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_FALSE(w.Out(back));
  EXPECT_TRUE(w.IsChild(call, plain));
  EXPECT_TRUE(w.IsChild(bare, call));  // its own server span is not there
}

TEST(SdkProcessesTest, ASpanWithChildrenStays) {
  SdkProcesses sdks(SdkPolicy::kComplement);
  Request call;
  call.by = World::Thread(10, 10);
  sdks.JudgeCall(call, &kExport, SdkProcesses::Origin::kNone);
  Request server;
  server.by = World::Thread(10, 11);
  server.is_http = true;
  server.has_heirs = true;
  sdks.JudgeServer(server);
  EXPECT_FALSE(server.left_out);
  server.has_heirs = false;
  sdks.JudgeServer(server);
  EXPECT_TRUE(server.left_out);
}

TEST(SdkProcessesTest, PacketsHaveNoProcess) {
  World w;
  const auto nobody = World::Thread(0, 0);
  Export(w, nobody);
  const auto s = w.Read(w.Connect(), nobody, kIncoming);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_TRUE(w.Out(s));
}

TEST(SdkProcessesTest, Skip) {
  World w({.sdk_processes = SdkPolicy::kSkip});
  const auto sdk = World::Thread(20, 20);
  Export(w, sdk);
  const Link in = w.Connect();
  const Link out = w.Connect();
  const auto caller = w.Send(in, World::Thread(10, 10));
  const auto s = w.Read(in, sdk);
  const auto call = w.Send(out, sdk);
  const auto next = w.Read(out, World::Thread(30, 30));
  w.Finish(next);
  w.Finish(call);
  w.Finish(s);
  w.Finish(caller);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_FALSE(w.Out(s));
  EXPECT_FALSE(w.Out(call));
  EXPECT_TRUE(w.IsChild(next, caller));  // over the two that are left out
  EXPECT_EQ(w.Method(next), "thread");
}

TEST(SdkProcessesTest, Duplicate) {
  World w({.sdk_processes = SdkPolicy::kDuplicate});
  const auto t = World::Thread(20, 20);
  Export(w, t);
  const auto s = w.Read(w.Connect(), t, kIncoming);
  const auto call = w.Send(w.Connect(), t, kOwn);
  w.Finish(call);
  w.Finish(s);
  w.Tick(TraceStage::kLateClientNs);
  EXPECT_EQ(w.spans.size(), 3U);
  EXPECT_EQ(LeftOut(w), 0);
}

}  // namespace
}  // namespace sonde::trace
