// SPDX-License-Identifier: Apache-2.0
// gRPC spans, and HTTP/2 streams that were reset.
#include "span/rpc_span.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "sonde/base/clock.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "unit/span/http_case.h"

namespace sonde::span {
namespace {

struct RpcCase : HttpCase {
  explicit RpcCase(Role role) : HttpCase(role) {
    exchange.protocol = "grpc";
    rpc.method = "shop.Cart/Add";
    rpc.has_status = true;
  }
  Span Build() {
    rpc.http = http;
    Exchange made = exchange;
    made.connection = &connection;
    made.detail = rpc;
    return Builder().builder->Build(made, {.attributes = {}, .service_name = "shop"},
                                    WallClock(1'000'000));
  }
  RpcExchange rpc;
};

TEST(RpcSpan, NameAndAttributes) {
  RpcCase call(Role::kClient);
  call.Header("host", "cart.example:9000");
  const Span span = call.Build();
  EXPECT_EQ(span.name, "shop.Cart/Add");
  EXPECT_EQ(span.kind, SpanKind::kClient);
  EXPECT_EQ(span.status, SpanStatus::kUnset);
  EXPECT_EQ(Text(span, "rpc.system.name"), "grpc");
  EXPECT_EQ(Text(span, "rpc.method"), "shop.Cart/Add");
  EXPECT_EQ(Text(span, "rpc.response.status_code"), "OK");
  EXPECT_EQ(Text(span, "server.address"), "cart.example");
  EXPECT_EQ(Text(span, "server.port"), "9000");
  EXPECT_EQ(Text(span, "error.type"), "<none>");
  EXPECT_EQ(Text(span, "http.request.method"), "<none>");
}

TEST(RpcSpan, StatusRulesPerKind) {
  for (uint32_t code = 0; code <= 17; ++code) {
    RpcCase client(Role::kClient);
    RpcCase server(Role::kServer);
    client.rpc.status = server.rpc.status = code;
    client.rpc.message = "why";
    const bool fault = code == 2 || code == 4 || (code >= 12 && code <= 15);
    EXPECT_EQ(client.Build().status == SpanStatus::kError, code != 0) << code;
    EXPECT_EQ(server.Build().status == SpanStatus::kError, fault) << code;
    EXPECT_EQ(client.Build().status_message, code != 0 ? "why" : "");
  }
  EXPECT_EQ(GrpcStatusName(4), "DEADLINE_EXCEEDED");
  EXPECT_EQ(GrpcStatusName(16), "UNAUTHENTICATED");
  EXPECT_EQ(GrpcStatusName(99), "99");
}

TEST(RpcSpan, MessagesAndDeadline) {
  RpcCase call(Role::kServer);
  Span span = call.Build();
  EXPECT_EQ(Text(span, "sonde.rpc.request.message_count"), "<none>");
  EXPECT_EQ(Text(span, "sonde.rpc.timeout_ms"), "<none>");
  call.rpc.request_messages = RpcMessages{.count = 0, .bytes = 0};
  call.rpc.response_messages = RpcMessages{.count = 3, .bytes = 70};
  call.rpc.timeout_ns = 1'500'000'000;
  span = call.Build();
  EXPECT_EQ(Text(span, "sonde.rpc.request.message_count"), "0");
  EXPECT_EQ(Text(span, "sonde.rpc.response.message_count"), "3");
  EXPECT_EQ(Text(span, "sonde.rpc.response.size"), "70");
  EXPECT_EQ(Text(span, "sonde.rpc.timeout_ms"), "1500");
}

TEST(RpcSpan, UnknownMethodIsNotInvented) {
  RpcCase call(Role::kServer);
  call.rpc.method.clear();
  call.exchange.truncated = kTruncatedRequestHead;
  const Span span = call.Build();
  EXPECT_EQ(span.name, "grpc");
  EXPECT_EQ(Text(span, "rpc.method"), "<none>");
  EXPECT_EQ(Text(span, "sonde.capture.truncated"), "request_head");
}

TEST(RpcSpan, CancelledIsAnErrorOnBothSides) {
  for (const Role role : {Role::kServer, Role::kClient}) {
    RpcCase call(role);
    call.http.reset = true;
    call.rpc.status = 1;
    EXPECT_EQ(Text(call.Build(), "error.type"), "CANCELLED");
    HttpCase http(role);
    http.exchange.response = {};
    http.http.reset = true;
    http.http.reset_code = 8;
    EXPECT_EQ(Text(Builder().Build(http), "error.type"), "CANCEL");
    http.http.reset_code = kResetUnknown;
    EXPECT_EQ(Text(Builder().Build(http), "error.type"), "stream_reset");
  }
}

}  // namespace
}  // namespace sonde::span
