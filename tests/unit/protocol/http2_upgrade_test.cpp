// SPDX-License-Identifier: Apache-2.0
// From HTTP/1.1 to HTTP/2 without TLS (RFC 7540 3.2), cut at every byte; and what is no such
// upgrade.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/http1/upgrade.h"
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
using testing::OwnedData;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
const std::string kPreface(http2::kPreface);
const std::string kAsk =
    "GET /up HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    "HTTP2-Settings: AAMAAABkAAQAoAAA\r\n\r\n";
const std::string kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
const std::string kWant = "GET /up 200 out:5\nGET /next 204";

Fields Get(const std::string& path) {
  return {{":method", "GET"}, {":scheme", "http"}, {":path", path}, {":authority", "h"}};
}

// What both sides send: the upgraded request is answered on stream 1, another one on stream 3.
struct Script {
  std::string ask = kAsk;
  std::string more;
  std::string answer = kSwitch;
  std::string last;
};
Script MakeScript() {
  Http2Writer in;
  Http2Writer out;
  Script script;
  script.more = kPreface + Http2Writer::Settings();
  script.more += in.Headers(3, Get("/next"), true);
  script.answer += Http2Writer::Settings();
  script.answer += out.Headers(1, {{":status", "200"}, {"server", "s"}}, false);
  script.answer += Http2Writer::Data(1, "hello", true);
  script.last = out.Headers(3, {{":status", "204"}, {"server", "s"}}, true);
  return script;
}

TEST(Http2Upgrade, OneExchangePerRequest) {
  const Script script = MakeScript();
  Conversation talk(RegisteredProtocols());
  talk.Receive(script.ask).Send(script.answer).Receive(script.more).Send(script.last);
  EXPECT_EQ(talk.Text(), kWant);
  ASSERT_EQ(talk.sink.exchanges.size(), 2U);
  const Exchange& first = talk.sink.exchanges[0];
  EXPECT_EQ(std::string_view(first.protocol), "http2");
  EXPECT_EQ(first.request.first_position, 1000U);
  EXPECT_EQ(first.http()->request.version, "1.1");
  EXPECT_EQ(first.http()->response.version, "2");
  EXPECT_EQ(talk.sink.starts.size(), 2U);
  EXPECT_EQ(talk.sink.responses.size(), 2U);
  EXPECT_EQ(talk.sink.responses[0].first, talk.sink.starts[0].id);
  EXPECT_EQ(talk.Metric("sonde_connections", "http2"), 1);
  EXPECT_EQ(talk.Metric("sonde_connections", "http1"), 0);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

TEST(Http2Upgrade, ClientSide) {
  const Script script = MakeScript();
  Conversation talk(RegisteredProtocols());
  talk.Send(script.ask).Receive(script.answer).Send(script.more).Receive(script.last);
  EXPECT_EQ(talk.Text(), kWant);
  EXPECT_EQ(talk.sink.exchanges.at(0).role, Role::kClient);
}

TEST(Http2Upgrade, EveryCut) {
  const Script script = MakeScript();
  const auto cut = [](Conversation& talk, Direction direction, const std::string& bytes,
                      size_t at) {
    talk.Move(direction, bytes.substr(0, at)).Move(direction, bytes.substr(at));
  };
  for (size_t at = 1; at < script.ask.size(); ++at) {
    Conversation talk(RegisteredProtocols());
    cut(talk, kIn, script.ask, at);
    talk.Send(script.answer).Receive(script.more).Send(script.last);
    ASSERT_EQ(talk.Text(), kWant) << "request cut at " << at;
  }
  for (size_t at = 1; at < script.answer.size(); ++at) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(script.ask);
    cut(talk, kOut, script.answer, at);
    talk.Receive(script.more).Send(script.last);
    ASSERT_EQ(talk.Text(), kWant) << "answer cut at " << at;
  }
  for (size_t at = 1; at < script.more.size(); ++at) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(script.ask).Send(script.answer);
    cut(talk, kIn, script.more, at);
    talk.Send(script.last);
    ASSERT_EQ(talk.Text(), kWant) << "preface cut at " << at;
  }
  Conversation bytes(RegisteredProtocols());
  for (const char byte : script.ask) bytes.Receive({&byte, 1});
  for (const char byte : script.answer) bytes.Send({&byte, 1});
  for (const char byte : script.more) bytes.Receive({&byte, 1});
  for (const char byte : script.last) bytes.Send({&byte, 1});
  EXPECT_EQ(bytes.Text(), kWant);
}

// Another processor reported the preface first.
TEST(Http2Upgrade, PrefaceBeforeTheAnswer) {
  const Script script = MakeScript();
  for (size_t at = 1; at <= script.more.size(); ++at) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(script.ask);
    const OwnedData answer = talk.Make(kOut, script.answer);
    talk.Receive(script.more.substr(0, at));
    talk.Play(answer);
    if (at < script.more.size()) talk.Receive(script.more.substr(at));
    talk.Send(script.last);
    ASSERT_EQ(talk.Text(), kWant) << at;
  }
}

TEST(Http2Upgrade, WithABody) {
  Script script = MakeScript();
  script.ask = "POST /up HTTP/1.1\r\nContent-Length: 4\r\nUpgrade: websocket, H2C\r\n\r\nbody";
  Conversation talk(RegisteredProtocols());
  talk.Receive(script.ask).Send(script.answer).Receive(script.more).Send(script.last);
  EXPECT_EQ(talk.Text(), "POST /up 200 in:4 out:5\nGET /next 204");
}

TEST(Http2Upgrade, Refused) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(kAsk).Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  talk.Receive("GET /b HTTP/1.1\r\n\r\n").Send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(talk.Text(), "GET /up 200 out:2\nGET /b 204");
}

TEST(Http2Upgrade, ToSomethingElse) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
  talk.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi");
  EXPECT_EQ(talk.Text(), "GET /ws 101");
  EXPECT_EQ(talk.Metric("sonde_connections", "ignored"), 1);
}

TEST(Http2Upgrade, UnansweredAtTheEnd) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(kAsk).Send(kSwitch + Http2Writer::Settings()).Receive(kPreface).Close();
  EXPECT_EQ(talk.Text(), "GET /up - closed");
}

TEST(Http2Upgrade, Names) {
  EXPECT_TRUE(http1::NamesHttp2({{"upgrade", "h2c"}}));
  EXPECT_TRUE(http1::NamesHttp2({{"host", "h"}, {"upgrade", "foo , H2C"}}));
  EXPECT_FALSE(http1::NamesHttp2({{"upgrade", "h2c-14"}, {"x", "h2c"}}));
  EXPECT_TRUE(http1::LooksLikePreface("PRI "));
  EXPECT_TRUE(http1::LooksLikePreface(kPreface + "more"));
  EXPECT_FALSE(http1::LooksLikePreface(""));
  EXPECT_FALSE(http1::LooksLikePreface("PRINT"));
}

}  // namespace
}  // namespace sonde::protocol
