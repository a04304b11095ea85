// SPDX-License-Identifier: Apache-2.0
// HTTP/2 and gRPC as conversations: every frame type, interleaving, cancellation, cuts at every
// byte, holes, and attach in the middle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/http2/types.h"
#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"
#include "support/http2_frames.h"

namespace sonde::protocol {
namespace {

using http2::FrameType;
using testing::Conversation;
using testing::Fields;
using testing::Http2Writer;
using testing::MakeFrame;
using testing::Number;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
const std::string kOpening(http2::kPreface);

Fields Get(const std::string& path) {
  return {{":method", "GET"},
          {":scheme", "http"},
          {":path", path},
          {":authority", "h:80"},
          {"user-agent", "test/1"}};
}
const Fields kOk = {{":status", "200"}, {"content-type", "text/plain"}};
Fields Call(const std::string& path) {
  return {{":method", "POST"}, {":scheme", "http"},       {":path", path},
          {":authority", "h"}, {"grpc-timeout", "1500m"}, {"content-type", "application/grpc"}};
}
const Fields kGrpcOk = {{":status", "200"}, {"content-type", "application/grpc+proto"}};

// In the order they are written: the encoder has a state, and operands of + have no order.
std::string Join(std::initializer_list<std::string> pieces) {
  std::string bytes;
  for (const std::string& piece : pieces) bytes += piece;
  return bytes;
}

class Http2 : public ::testing::Test {
 protected:
  Http2() : talk(RegisteredProtocols()) {}
  void Begin() {
    talk.Receive(kOpening + Http2Writer::Settings());
    talk.Send(Http2Writer::Settings());
  }
  const HttpExchange& http(size_t i) { return *talk.sink.exchanges.at(i).http(); }

  Conversation talk;
  Http2Writer in;
  Http2Writer out;
};

TEST_F(Http2, RequestAndResponse) {
  Begin();
  talk.Receive(in.Headers(1, Get("/a"), true));
  const std::string head = out.Headers(1, kOk, false);
  talk.Send(head + Http2Writer::Data(1, "hello", true));
  EXPECT_EQ(talk.Text(), "GET /a 200 out:5");
  ASSERT_EQ(talk.sink.exchanges.size(), 1U);
  const Exchange& exchange = talk.sink.exchanges[0];
  EXPECT_EQ(std::string_view(exchange.protocol), "http2");
  EXPECT_EQ(exchange.role, Role::kServer);
  EXPECT_EQ(http(0).request.version, "2");
  EXPECT_EQ(http(0).request.headers[0].name, "host");
  EXPECT_EQ(http(0).request.headers[0].value, "h:80");
  EXPECT_EQ(exchange.request.first_position, 1000U + kOpening.size() + 15);
  EXPECT_EQ(exchange.response.wire_bytes, head.size() + 9 + 5);
  EXPECT_EQ(talk.sink.starts.size(), 1U);
  EXPECT_EQ(talk.sink.responses.size(), 1U);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

TEST_F(Http2, ClientSide) {
  talk.Send(kOpening + Http2Writer::Settings() + in.Headers(1, Get("/c"), true));
  talk.Receive(Http2Writer::Settings() + out.Headers(1, {{":status", "204"}}, true));
  EXPECT_EQ(talk.Text(), "GET /c 204");
  EXPECT_EQ(talk.sink.exchanges.at(0).role, Role::kClient);
}

TEST_F(Http2, ServerSettingsComeFirst) {
  talk.Send(Http2Writer::Settings());
  talk.Receive(kOpening + Http2Writer::Settings() + in.Headers(1, Get("/s"), true));
  talk.Send(out.Headers(1, {{":status", "204"}}, true));
  EXPECT_EQ(talk.Text(), "GET /s 204");
}

TEST_F(Http2, EveryOtherFrameTypeIsWalkedOver) {
  Begin();
  const std::string others =
      MakeFrame(FrameType::kPriority, 0, 1, std::string(5, '\0')) +
      MakeFrame(FrameType::kPing, 0, 0, std::string(8, 'p')) +
      MakeFrame(FrameType::kPing, 1, 0, std::string(8, 'p')) +
      MakeFrame(FrameType::kWindowUpdate, 0, 0, Number(100, 4)) +
      MakeFrame(FrameType::kWindowUpdate, 0, 1, Number(100, 4)) +
      MakeFrame(FrameType::kSettings, 1, 0, "") +
      MakeFrame(static_cast<FrameType>(0x0a), 0, 0, "altsvc") +
      MakeFrame(static_cast<FrameType>(0x10), 0, 0, std::string("\0\0\0\1u=3", 7)) +
      MakeFrame(static_cast<FrameType>(0xee), 0xff, 77, "an extension");
  talk.Receive(others + in.Headers(1, Get("/x"), true) + others);
  talk.Send(others + out.Headers(1, {{":status", "200"}}, false) + others +
            Http2Writer::Data(1, "", true) + others);
  EXPECT_EQ(talk.Text(), "GET /x 200");
}

TEST_F(Http2, PaddingAndPriority) {
  Begin();
  const std::string padding(7, '\0');
  talk.Receive(MakeFrame(FrameType::kHeaders, 4 | 8 | 0x20, 1,
                         "\7" + std::string(5, '\1') + in.Block(Get("/p")) + padding) +
               MakeFrame(FrameType::kData, 8 | 1, 1, "\7abc" + padding));
  talk.Send(out.Headers(1, kOk, true));
  EXPECT_EQ(talk.Text(), "GET /p 200 in:3");
}

TEST_F(Http2, ContinuationAndTrailersAndInterim) {
  Begin();
  talk.Receive(in.Split(1, Get("/" + std::string(100, 'c')), true, 10));
  talk.Send(out.Headers(1, {{":status", "103"}, {"link", "x"}}, false));
  talk.Send(Join({out.Split(1, kOk, false, 1), Http2Writer::Data(1, "12", false),
                  out.Headers(1, {{"checksum", "9"}}, true)}));
  EXPECT_EQ(talk.Text(), "GET /" + std::string(100, 'c') + " 200 out:2");
  ASSERT_EQ(http(0).response.trailers.size(), 1U);
  EXPECT_EQ(http(0).response.trailers[0].value, "9");
}

TEST_F(Http2, PushPromiseKeepsTheTableInStep) {
  Begin();
  talk.Receive(in.Headers(1, Get("/page"), true));
  talk.Send(
      Join({MakeFrame(FrameType::kPushPromise, 4, 1, Number(2, 4) + out.Block(Get("/pushed"))),
            out.Headers(1, {{":status", "200"}, {"server", "s"}}, true),
            out.Headers(2, {{":status", "200"}, {"server", "s"}}, true)}));
  EXPECT_EQ(talk.Text(), "GET /page 200");
}

TEST_F(Http2, InterleavedStreams) {
  Begin();
  constexpr uint32_t kStreams = 3000;
  for (uint32_t i = 0; i < kStreams; ++i) {
    talk.Receive(in.Headers(2 * i + 1, Get("/" + std::to_string(i)), true));
  }
  std::string headers;
  std::string ends;
  for (uint32_t i = 0; i < kStreams; ++i) {
    const uint32_t id = 2 * (kStreams - 1 - i) + 1;
    headers += out.Headers(id, {{":status", "200"}, {"x-for", std::to_string(id)}}, false);
    ends += Http2Writer::Data(id, "x", true);
  }
  talk.Send(headers).Send(ends);
  ASSERT_EQ(talk.sink.exchanges.size(), kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    const auto id = static_cast<uint32_t>(std::stoul(http(i).response.headers.at(0).value));
    EXPECT_EQ(http(i).request.target, "/" + std::to_string((id - 1) / 2));
  }
}

TEST_F(Http2, ResetByEitherSideAndGoaway) {
  Begin();
  for (uint32_t id = 1; id <= 9; id += 2) {
    talk.Receive(in.Headers(id, Get("/" + std::to_string(id)), true));
  }
  talk.Receive(Http2Writer::Reset(1, 8));
  talk.Send(out.Headers(3, kOk, false) + Http2Writer::Reset(3, 2));
  talk.Send(MakeFrame(FrameType::kGoaway, 0, 0, Number(7, 4) + Number(0, 4) + "bye"));
  talk.Send(out.Headers(5, kOk, true));
  talk.Close();
  EXPECT_EQ(talk.Text(),
            "GET /1 - reset:8\nGET /3 200 reset:2\nGET /9 - reset:7\nGET /5 200\nGET /7 - closed");
}

// curl resets a stream when it has the announced length, before it reads END_STREAM.
TEST_F(Http2, ResetAfterTheWholeBodyIsNoFailure) {
  Begin();
  const Fields with_length = {{":status", "200"}, {"content-length", "5"}};
  for (const uint32_t id : {1U, 3U}) {
    talk.Receive(in.Headers(id, Get("/" + std::to_string(id)), true));
    const std::string body = id == 1 ? "12345" : "1234";
    talk.Send(out.Headers(id, with_length, false) + Http2Writer::Data(id, body, false));
    talk.Receive(Http2Writer::Reset(id, 5));
  }
  EXPECT_EQ(talk.Text(), "GET /1 200 out:5\nGET /3 200 reset:5");
}

TEST_F(Http2, GrpcUnaryTrailersOnlyAndCancelled) {
  Begin();
  talk.Receive(in.Headers(1, Call("/pkg.Svc/Do"), false) + Http2Writer::Data(1, "12345abc", true));
  talk.Send(Join({out.Headers(1, kGrpcOk, false), Http2Writer::Data(1, "12345", false),
                  out.Headers(1, {{"grpc-status", "0"}, {"grpc-message", ""}}, true)}));
  talk.Receive(in.Headers(3, Call("/pkg.Svc/Fail"), true));
  talk.Send(out.Headers(3,
                        {{":status", "200"},
                         {"content-type", "application/grpc"},
                         {"grpc-status", "5"},
                         {"grpc-message", "not%20found %zz%"}},
                        true));
  talk.Receive(in.Headers(5, Call("/pkg.Svc/Do"), false) + Http2Writer::Reset(5, 8));
  talk.Receive(in.Headers(7, Call("/pkg.Svc/Proxy"), true));
  talk.Send(out.Headers(7, {{":status", "503"}}, true));
  EXPECT_EQ(talk.Text(),
            "grpc pkg.Svc/Do status:0 200 in:8 out:5\n"
            "grpc pkg.Svc/Fail status:5 not found %zz% 200\n"
            "grpc pkg.Svc/Do status:1 - reset:8\n"
            "grpc pkg.Svc/Proxy status:14 503");
  const auto& rpc = std::get<RpcExchange>(talk.sink.exchanges[0].detail);
  EXPECT_EQ(rpc.timeout_ns, 1'500'000'000U);
  EXPECT_EQ(std::string_view(talk.sink.exchanges[0].protocol), "grpc");
}

TEST_F(Http2, DataIsWalkedOverWithoutItsBytes) {
  Begin();
  talk.Receive(in.Headers(1, Get("/big"), true));
  talk.Send(out.Headers(1, kOk, false));
  const std::string big = Http2Writer::Data(1, std::string(16000, 'd'), false);
  talk.Cut(kOut, big, 9).Cut(kOut, big, 14).Cut(kOut, big, 10, 32);
  talk.Send(Http2Writer::Data(1, "", true));
  EXPECT_EQ(talk.Text(), "GET /big 200 out:48000");
}

TEST_F(Http2, ResponseIsHeldForItsRequest) {
  Begin();
  const auto request = talk.Make(kIn, in.Headers(1, Get("/late"), true));
  talk.Send(out.Headers(1, kOk, true));
  EXPECT_EQ(talk.Text(), "");
  talk.Play(request);
  EXPECT_EQ(talk.Text(), "GET /late 200");
}

TEST_F(Http2, ResponseWithoutRequestIsDroppedInTime) {
  Begin();
  talk.Send(out.Headers(1, kOk, true));
  talk.Wait(1'000'000).Wait(200'000'000).Wait(1'000'000);
  talk.Receive(in.Headers(3, Get("/next"), true));
  talk.Send(out.Headers(3, kOk, true));
  EXPECT_EQ(talk.Text(), "GET /next 200");
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

// One conversation with a bit of everything, as bytes of both directions.
struct Script {
  std::string request;
  std::string response;
  std::string want = "GET /one 200 out:5\ngrpc s.S/M status:0 200 in:6 out:7";
};
Script Everything() {
  Http2Writer in;
  Http2Writer out;
  Script script;
  script.request = Join({kOpening, Http2Writer::Settings(),
                         MakeFrame(FrameType::kWindowUpdate, 0, 0, Number(1, 4)),
                         in.Split(1, Get("/one"), true, 11), in.Headers(3, Call("/s.S/M"), false),
                         Http2Writer::Data(3, std::string("\0\0\0\0\1x", 6), true)});
  script.response =
      Join({Http2Writer::Settings(), MakeFrame(FrameType::kSettings, 1, 0, ""),
            out.Headers(1, kOk, false), out.Headers(3, kGrpcOk, false),
            Http2Writer::Data(1, "hello", true), Http2Writer::Data(3, "1234567", false),
            out.Headers(3, {{"grpc-status", "0"}}, true)});
  return script;
}

TEST(Http2Cut, EveryByte) {
  const Script script = Everything();
  for (size_t cut = 0; cut <= script.request.size(); ++cut) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(script.request.substr(0, cut)).Receive(script.request.substr(cut));
    talk.Send(script.response);
    ASSERT_EQ(talk.Text(), script.want) << "request cut at " << cut;
  }
  for (size_t cut = 0; cut <= script.response.size(); ++cut) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(script.request);
    talk.Send(script.response.substr(0, cut)).Send(script.response.substr(cut));
    ASSERT_EQ(talk.Text(), script.want) << "response cut at " << cut;
    ASSERT_EQ(talk.table().buffered_bytes(), 0U);
  }
  Conversation talk(RegisteredProtocols());
  for (const char byte : script.request) talk.Receive({&byte, 1});
  for (const char byte : script.response) talk.Send({&byte, 1});
  EXPECT_EQ(talk.Text(), script.want);
}

// Each record in turn is lost: nothing gets another one's answer, and later exchanges are found.
TEST(Http2Loss, EachRecord) {
  constexpr uint32_t kRequests = 12;
  for (size_t lost = 0; lost < 2 * kRequests; ++lost) {
    Conversation talk(RegisteredProtocols());
    Http2Writer in;
    Http2Writer out;
    talk.Receive(kOpening + Http2Writer::Settings()).Send(Http2Writer::Settings());
    for (uint32_t i = 0; i < kRequests; ++i) {
      const std::string path = "/" + std::to_string(i);
      const auto request = talk.Make(kIn, in.Headers(2 * i + 1, Get(path), true));
      if (lost != 2 * i) talk.Play(request);
      const auto response =
          talk.Make(kOut, out.Headers(2 * i + 1, {{":status", "200"}, {"x-for", path}}, false) +
                              Http2Writer::Data(2 * i + 1, path, true));
      if (lost != 2 * i + 1) talk.Play(response);
      talk.Wait(200'000'000);
    }
    talk.Close();
    size_t whole = 0;
    for (const Exchange& exchange : talk.sink.exchanges) {
      const HttpExchange& http = *exchange.http();
      EXPECT_TRUE(http.request.method == "GET" || http.request.method.empty());
      if (!exchange.response.seen) continue;
      for (const HttpHeader& header : http.response.headers) {
        if (header.name != "x-for" || http.request.target.empty()) continue;
        EXPECT_EQ(header.value, http.request.target) << "lost " << lost;
      }
      if (http.response.status == 200) ++whole;
    }
    EXPECT_GE(whole, kRequests - 1U) << "lost " << lost << "\n" << talk.Text();
  }
}

// sonde comes when the connection has been in use: the dynamic table is not known.
TEST(Http2Late, UnknownUntilSentAgain) {
  Http2Writer in;
  Http2Writer out;
  for (uint32_t id = 1; id < 9; id += 2) {
    in.Headers(id, Call("/pkg.Svc/Known"), false);
    out.Headers(id, kGrpcOk, false);
    out.Headers(id, {{"grpc-status", "0"}}, true);
  }
  Conversation::Options options;
  options.has_begin = false;
  Conversation talk(RegisteredProtocols(), options);
  const auto call = [&](uint32_t id, const std::string& path) {
    talk.Receive(in.Headers(id, Call(path), false) + Http2Writer::Data(id, "123456", true));
    talk.Send(Join({out.Headers(id, kGrpcOk, false), Http2Writer::Data(id, "12345", false),
                    out.Headers(id, {{"grpc-status", "0"}}, true)}));
  };
  call(9, "/pkg.Svc/Known");
  call(11, "/pkg.Svc/New");
  call(13, "/pkg.Svc/New");
  talk.Close();
  ASSERT_EQ(talk.sink.exchanges.size(), 3U) << talk.Text();
  for (const Exchange& exchange : talk.sink.exchanges) {
    EXPECT_NE(exchange.truncated & kTruncatedRequestHead, 0U);
    EXPECT_EQ(exchange.http()->request.method, "POST");
  }
  EXPECT_EQ(talk.sink.exchanges[1].http()->request.target, "/pkg.Svc/New");
  EXPECT_EQ(talk.sink.exchanges[2].http()->request.target, "/pkg.Svc/New");
}

// Indexes as Go's encoder makes them: the path is in the table too.
TEST(Http2Late, PathOfTheTableIsNotInvented) {
  Conversation::Options options;
  options.has_begin = false;
  Conversation talk(RegisteredProtocols(), options);
  const auto call = [&](uint32_t id, const std::string& fields) {
    talk.Receive(MakeFrame(FrameType::kHeaders, 5, id, fields));
    talk.Send(MakeFrame(FrameType::kHeaders, 5, id, "\x88"));
  };
  call(7, "\x83\x86\xc4\xc3");  // two unknown entries
  call(9,
       "\x83\x86"
       "\x44\x04/new"
       "\xc3");                  // a path is inserted
  call(11, "\x83\x86\xbe\xc3");  // and named by its number
  call(13, "\x83\x86\xbf\xc3");  // an entry before it
  EXPECT_EQ(talk.Text(),
            "POST  200 truncated:1\nPOST /new 200 truncated:1\nPOST /new 200 truncated:1\n"
            "POST  200 truncated:1");
}

TEST(Http2Late, InTheMiddleOfAFrame) {
  Http2Writer in;
  Http2Writer out;
  Conversation::Options options;
  options.has_begin = false;
  Conversation talk(RegisteredProtocols(), options);
  talk.Send(std::string(300, 'b') + Http2Writer::Data(1, "", true));
  talk.Receive(in.Headers(3, Get("/after"), true));
  talk.Send(out.Headers(3, kOk, false) + Http2Writer::Data(3, "ok", true));
  EXPECT_EQ(talk.Text(), "GET /after 200 out:2");
}

// Go's server reads the header of a frame, then its payload.
TEST(Http2Late, HeaderAndPayloadInTwoCalls) {
  Http2Writer in;
  Http2Writer out;
  Conversation::Options options;
  options.has_begin = false;
  Conversation talk(RegisteredProtocols(), options);
  for (uint32_t id = 3; id < 11; id += 2) {
    const std::string request = in.Headers(id, Get("/" + std::to_string(id)), true);
    talk.Receive(request.substr(0, 9));
    talk.Receive(request.substr(9));
    talk.Send(out.Headers(id, kOk, false) + Http2Writer::Data(id, "ok", true));
  }
  // The first was over before anybody knew what is spoken; the host is in a table it began.
  EXPECT_EQ(talk.Text(),
            "GET /5 200 out:2 truncated:1\nGET /7 200 out:2 truncated:1\n"
            "GET /9 200 out:2 truncated:1");
}

TEST(Http2Late, WhatIsNoHeaderAloneIsPassedOver) {
  Http2Writer in;
  Http2Writer out;
  Conversation::Options options;
  options.has_begin = false;
  Conversation talk(RegisteredProtocols(), options);
  talk.Send(out.Headers(1, kOk, false) + Http2Writer::Data(1, "ok", true));
  const std::string request = in.Headers(3, Get("/a"), true);
  talk.Receive(request.substr(0, 9));
  talk.Receive(std::string(300, 'b'));  // not what it announced
  talk.Receive(in.Headers(5, Get("/b"), true));
  talk.Send(out.Headers(5, kOk, false) + Http2Writer::Data(5, "ok", true));
  EXPECT_EQ(talk.Text(), "GET /b 200 out:2 truncated:1");
}

TEST(Http2Limits, ContinuationFloodAndGiantHeaders) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(kOpening + Http2Writer::Settings());
  talk.Receive(MakeFrame(FrameType::kHeaders, 0, 1, std::string("\x82\x86\x84", 3)));
  const std::string flood = MakeFrame(FrameType::kContinuation, 0, 1, std::string(16000, '\x82'));
  for (int i = 0; i < 200; ++i) talk.Receive(flood);
  talk.Receive(MakeFrame(FrameType::kContinuation, 4, 1, ""));
  EXPECT_LE(talk.table().buffered_bytes(), 300'000U);
  ASSERT_EQ(talk.sink.starts.size(), 1U);
  talk.Close();
  EXPECT_EQ(talk.Text(), "GET / - closed truncated:1");
}

TEST(Http2Limits, MillionStreams) {
  Conversation talk(RegisteredProtocols());
  Http2Writer in;
  talk.Receive(kOpening + Http2Writer::Settings());
  const std::string block = in.Block({{":method", "GET"}, {":path", "/"}, {":scheme", "http"}});
  for (uint32_t id = 1; id < 200'000; id += 2) {
    talk.Receive(MakeFrame(FrameType::kHeaders, 5, id, block));
  }
  EXPECT_EQ(talk.sink.starts.size(), 16384U);
  talk.Close();
  EXPECT_EQ(talk.sink.exchanges.size(), 16384U);
}

}  // namespace
}  // namespace sonde::protocol
