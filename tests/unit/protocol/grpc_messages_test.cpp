// SPDX-License-Identifier: Apache-2.0
// How many messages a call had, and their bytes: right or absent, however frames cut them and
// whatever of DATA was captured.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/common/length_prefixed.h"
#include "protocol/grpc/call.h"
#include "protocol/http2/types.h"
#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"
#include "support/http2_frames.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;
using testing::Fields;
using testing::Http2Writer;
using testing::MakeFrame;
using testing::Number;

std::string Message(size_t size) {
  return std::string(1, '\0') + Number(static_cast<uint32_t>(size), 4) + std::string(size, 'm');
}
std::string Messages(std::initializer_list<size_t> sizes) {
  std::string bytes;
  for (const size_t size : sizes) bytes += Message(size);
  return bytes;
}

TEST(LengthPrefixedWalk, EveryCut) {
  const std::string body = Messages({0, 1, 300, 0, 7});
  for (size_t a = 0; a <= body.size(); ++a) {
    for (size_t b = a; b <= body.size(); b += 11) {
      LengthPrefixedWalk walk;
      for (const std::string_view piece :
           {std::string_view(body).substr(0, a), std::string_view(body).substr(a, b - a),
            std::string_view(body).substr(b)}) {
        walk.Pass(piece, piece.size());
      }
      ASSERT_TRUE(walk.known()) << a << " " << b;
      ASSERT_EQ(walk.messages(), 5U);
      ASSERT_EQ(walk.bytes(), 308U);
    }
  }
}

TEST(LengthPrefixedWalk, ContentNeedsNoBytes) {
  LengthPrefixedWalk walk;
  walk.Pass(Message(100'000).substr(0, 6), 16'384);
  walk.Pass("", 16'384);
  walk.Pass("xxxxxx", 100'005 - 2 * 16'384);
  EXPECT_EQ(walk.messages(), 1U);
  EXPECT_EQ(walk.bytes(), 100'000U);
  EXPECT_TRUE(walk.known());
}

TEST(LengthPrefixedWalk, UnknownRatherThanWrong) {
  LengthPrefixedWalk second;  // a second message begins where nothing was captured
  second.Pass(Message(10).substr(0, 6), 30);
  EXPECT_FALSE(second.known());
  LengthPrefixedWalk cut;
  cut.Pass(std::string_view("\0\0\0", 3), 5);
  EXPECT_FALSE(cut.known());
  LengthPrefixedWalk other;
  other.Pass("{\"json\":1}", 10);
  EXPECT_FALSE(other.known());
  LengthPrefixedWalk lost;
  lost.Lose();
  EXPECT_FALSE(lost.known());
}

class Grpc : public ::testing::Test {
 protected:
  Grpc() : talk(RegisteredProtocols()) {
    talk.Receive(std::string(http2::kPreface) + Http2Writer::Settings());
    talk.Send(Http2Writer::Settings());
  }
  void Begin(const Fields& more = {}) {
    Fields fields = {{":method", "POST"},
                     {":scheme", "http"},
                     {":path", "/s.S/M"},
                     {"content-type", "application/grpc"}};
    fields.insert(fields.end(), more.begin(), more.end());
    talk.Receive(in.Headers(1, fields, false));
    talk.Send(out.Headers(1, {{":status", "200"}, {"content-type", "application/grpc"}}, false));
  }
  const RpcExchange& End() {
    talk.Receive(Http2Writer::Data(1, "", true));
    talk.Send(out.Headers(1, {{"grpc-status", "0"}}, true));
    return std::get<RpcExchange>(talk.sink.exchanges.at(0).detail);
  }
  using Counted = std::optional<RpcMessages>;

  Conversation talk;
  Http2Writer in;
  Http2Writer out;
};

TEST_F(Grpc, StreamingBothWays) {
  Begin();
  talk.Receive(Http2Writer::Data(1, Message(5), false));
  talk.Receive(Http2Writer::Data(1, Messages({6, 7}), false));
  talk.Send(Http2Writer::Data(1, Message(9), false));
  const RpcExchange& rpc = End();
  EXPECT_EQ(rpc.request_messages, Counted({.count = 3, .bytes = 18}));
  EXPECT_EQ(rpc.response_messages, Counted({.count = 1, .bytes = 9}));
}

TEST_F(Grpc, NoMessages) {
  Begin();
  const RpcExchange& rpc = End();
  EXPECT_EQ(rpc.request_messages, Counted({.count = 0, .bytes = 0}));
  EXPECT_EQ(rpc.response_messages, Counted({.count = 0, .bytes = 0}));
}

// As the kernel captures it: six bytes of each frame of DATA.
TEST_F(Grpc, LargeMessagesOverManyFrames) {
  Begin();
  const std::string body = Message(100'000);
  for (size_t at = 0; at < body.size(); at += 16'384) {
    const size_t size = std::min<size_t>(16'384, body.size() - at);
    const std::string frame = Http2Writer::Data(1, body.substr(at, size), false);
    talk.Cut(Direction::kReceive, frame, 9 + 6);
  }
  talk.Cut(Direction::kSend, Http2Writer::Data(1, Message(3000), false), 9 + 6);
  const RpcExchange& rpc = End();
  EXPECT_EQ(rpc.request_messages, Counted({.count = 1, .bytes = 100'000}));
  EXPECT_EQ(rpc.response_messages, Counted({.count = 1, .bytes = 3000}));
}

TEST_F(Grpc, SeveralMessagesInAFrameThatWasNotCapturedAreNotCounted) {
  Begin();
  talk.Cut(Direction::kReceive, Http2Writer::Data(1, Messages({900, 900}), false), 9 + 6);
  const RpcExchange& rpc = End();
  EXPECT_EQ(rpc.request_messages, std::nullopt);
  EXPECT_EQ(rpc.response_messages, Counted({.count = 0, .bytes = 0}));
}

TEST_F(Grpc, PaddedData) {
  Begin();
  const std::string padded = "\3" + Message(20) + std::string(3, '\0');
  talk.Receive(MakeFrame(http2::FrameType::kData, 8, 1, padded));
  talk.Cut(Direction::kReceive, MakeFrame(http2::FrameType::kData, 8, 1, padded), 9 + 6);
  EXPECT_EQ(End().request_messages, Counted({.count = 2, .bytes = 40}));
}

TEST_F(Grpc, LossMakesItUnknown) {
  Begin();
  talk.Receive(Http2Writer::Data(1, Message(5), false));
  talk.Lose(Direction::kReceive, 9 + 30).Wait(1'000'000);
  talk.Receive(Http2Writer::Data(1, Message(5), false) + Http2Writer::Data(1, Message(5), false) +
               Http2Writer::Data(1, Message(5), false));
  talk.Wait(100'000'000).Wait(100'000'000);
  const RpcExchange& rpc = End();
  EXPECT_EQ(rpc.request_messages, std::nullopt);
}

TEST_F(Grpc, AnsweredBeforeTheRequestWasRead) {
  Begin();
  talk.Receive(Http2Writer::Data(1, Message(5), false));
  talk.Send(out.Headers(1, {{"grpc-status", "5"}}, true));
  const auto& rpc = std::get<RpcExchange>(talk.sink.exchanges.at(0).detail);
  EXPECT_EQ(rpc.request_messages, std::nullopt);
  EXPECT_EQ(rpc.response_messages, Counted({.count = 0, .bytes = 0}));
}

TEST_F(Grpc, CancelledInTheMiddle) {
  Begin();
  talk.Receive(Http2Writer::Data(1, Message(5) + Message(9).substr(0, 8), false));
  talk.Send(Http2Writer::Data(1, Message(2), false));
  talk.Receive(Http2Writer::Reset(1, 8));
  const auto& rpc = std::get<RpcExchange>(talk.sink.exchanges.at(0).detail);
  EXPECT_EQ(rpc.request_messages, Counted({.count = 1, .bytes = 5}));
  EXPECT_EQ(rpc.response_messages, Counted({.count = 1, .bytes = 2}));
}

// Attached in the middle: neither content type is known.
TEST(GrpcLate, KnownByItsMessages) {
  Http2Writer in;
  Http2Writer out;
  const auto head = [&](uint32_t id) {
    return in.Headers(id,
                      {{":method", "POST"},
                       {":scheme", "http"},
                       {":path", "/s.S/M"},
                       {"content-type", "application/grpc"}},
                      false);
  };
  const Fields ok = {{":status", "200"}, {"content-type", "application/grpc"}};
  head(1);
  out.Headers(1, ok, false);
  out.Headers(1, {{"grpc-status", "0"}}, true);
  const auto late = [&](uint32_t id, const std::string& body) {
    Conversation::Options options;
    options.has_begin = false;
    Conversation talk(RegisteredProtocols(), options);
    talk.Receive(head(id) + Http2Writer::Data(id, body, true));
    talk.Send(out.Headers(id, ok, false) + Http2Writer::Data(id, Message(3), false));
    talk.Send(out.Headers(id, {{"grpc-status", "0"}}, true));
    return talk.sink.exchanges.at(0);
  };
  const Exchange call = late(3, Message(10));
  EXPECT_EQ(std::string_view(call.protocol), "grpc");
  EXPECT_NE(call.truncated & kTruncatedRequestHead, 0U);
  EXPECT_EQ(std::string_view(late(5, "name=value&other=1").protocol), "http2");
  EXPECT_EQ(std::string_view(late(7, Message(10) + "x").protocol), "http2");
}

TEST(GrpcTimeout, UnitsAndLimits) {
  EXPECT_EQ(grpc::ParseTimeout("1n"), 1U);
  EXPECT_EQ(grpc::ParseTimeout("5u"), 5000U);
  EXPECT_EQ(grpc::ParseTimeout("10m"), 10'000'000U);
  EXPECT_EQ(grpc::ParseTimeout("2S"), 2'000'000'000U);
  EXPECT_EQ(grpc::ParseTimeout("1M"), 60'000'000'000U);
  EXPECT_EQ(grpc::ParseTimeout("1H"), 3'600'000'000'000U);
  EXPECT_GT(grpc::ParseTimeout("99999999H"), UINT64_MAX / 2);
  for (const char* bad : {"", "1", "S", "1x", "123456789S", "-1S", "1 S"}) {
    EXPECT_EQ(grpc::ParseTimeout(bad), 0U) << bad;
  }
}

}  // namespace
}  // namespace sonde::protocol
