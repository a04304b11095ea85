// SPDX-License-Identifier: Apache-2.0
// Whole conversations through connection stage and HTTP/1 parser, nothing lost: framing, timing,
// roles, ends.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;

class Http1 : public ::testing::Test {
 protected:
  Conversation talk{RegisteredProtocols()};
};

constexpr char kGet[] = "GET /a?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y:  z \r\n\r\nhello";
constexpr char kNoBody[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

TEST_F(Http1, KeepAlive) {
  for (int i = 0; i < 3; ++i) talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5\nGET /a?x=1 200 out:5\nGET /a?x=1 200 out:5");
  EXPECT_EQ(talk.sink.starts.size(), 3U);
  EXPECT_EQ(talk.sink.responses.size(), 3U);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  const Exchange& first = talk.sink.exchanges[0];
  EXPECT_EQ(first.id, 1U);
  EXPECT_EQ(first.role, Role::kServer);
  EXPECT_EQ(first.request.first_mono_ns, 1'000'001'000U);
  EXPECT_EQ(first.request.last_mono_ns, 1'000'001'000U);
  EXPECT_EQ(first.response.first_mono_ns, 1'000'002'000U);
  EXPECT_EQ(first.response.last_mono_ns, 1'000'002'000U);
  EXPECT_EQ(first.request.first_position, 1000U);
  EXPECT_EQ(first.response.first_position, 5000U);
  EXPECT_EQ(first.request.wire_bytes, sizeof(kGet) - 1);
  EXPECT_EQ(first.response.wire_bytes, sizeof(kOk) - 1);
  EXPECT_EQ(first.tgid(), 100U);
  const auto& http = std::get<HttpExchange>(first.detail);
  EXPECT_EQ(http.request.version, "1.1");
  ASSERT_EQ(http.response.headers.size(), 2U);
  EXPECT_EQ(http.response.headers[1].name, "x-y");
  EXPECT_EQ(http.response.headers[1].value, "z");
  EXPECT_EQ(talk.Metric("sonde_parse_outcomes_total", "done"), 6);
}

TEST_F(Http1, ClientRole) {
  talk.Send(kGet).Receive(kOk);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5");
  EXPECT_EQ(talk.sink.exchanges[0].role, Role::kClient);
  EXPECT_EQ(talk.sink.infos[0].local.port, 8080);
}

TEST_F(Http1, VerdictIsToldOnce) {
  talk.Receive(kGet).Send(kOk).Receive(kGet).Send(kOk);
  ASSERT_EQ(talk.sink.verdicts.size(), 1U);
  EXPECT_TRUE(talk.sink.verdicts[0].second);
}

TEST_F(Http1, ResponseInManyRecordsIsTimedByItsLastByte) {
  talk.Receive(kGet).Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01");
  EXPECT_EQ(talk.sink.responses.size(), 1U);
  EXPECT_TRUE(talk.sink.exchanges.empty());
  talk.Send("2345").Send("6789");
  ASSERT_EQ(talk.Text(), "GET /a?x=1 200 out:10");
  EXPECT_EQ(talk.sink.exchanges[0].response.first_mono_ns, 1'000'002'000U);
  EXPECT_EQ(talk.sink.exchanges[0].response.last_mono_ns, 1'000'004'000U);
}

TEST_F(Http1, UncapturedBodyOfKnownLength) {
  const std::string body(5000, 'b');
  talk.Receive(kGet).Cut(Direction::kSend,
                         "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + body, 100);
  talk.Cut(Direction::kSend, body, 0);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:10000");
  talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.sink.exchanges.size(), 2U);
}

TEST_F(Http1, RequestBody) {
  talk.Receive("POST /p HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd").Receive("efgh").Send(kNoBody);
  EXPECT_EQ(talk.Text(), "POST /p 200 in:8");
  EXPECT_EQ(talk.sink.exchanges[0].request.last_mono_ns, 1'000'002'000U);
  EXPECT_EQ(talk.sink.starts[0].request.first_mono_ns, 1'000'001'000U);
}

TEST_F(Http1, EarlyAnswer) {
  talk.Receive("POST /p HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd");
  talk.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(talk.Text(), "POST /p 413 in:8");  // as announced
  talk.Receive("efgh").Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.Text(), "POST /p 413 in:8\nGET /a?x=1 200 out:5");
}

TEST_F(Http1, Pipelining) {
  talk.Receive("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(talk.sink.starts.size(), 3U);
  talk.Send(
      "HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 202 B\r\nContent-Length: 2\r\n\r\n22");
  talk.Send("HTTP/1.1 203 C\r\nContent-Length: 3\r\n\r\n333");
  EXPECT_EQ(talk.Text(), "GET /1 201 out:1\nGET /2 202 out:2\nGET /3 203 out:3");
}

TEST_F(Http1, PipeliningOverManyRecords) {
  talk.Receive("GET /1 HTTP/1.1\r\n\r\n").Receive("GET /2 HTTP/1.1\r\n\r\n");
  talk.Send("HTTP/1.1 201 A\r\nContent-Length: 0\r\n\r\n")
      .Send("HTTP/1.1 202 B\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(talk.Text(), "GET /1 201\nGET /2 202");
}

TEST_F(Http1, Chunked) {
  talk.Receive("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
  talk.Send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5;ext=\"a\"\r\nhello\r\nA\r\n0123456789\r\n");
  EXPECT_TRUE(talk.sink.exchanges.empty());
  talk.Send("0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(talk.Text(), "POST /p 200 in:4 out:15");
  talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.sink.exchanges.size(), 2U);
}

TEST_F(Http1, CloseDelimited) {
  talk.Receive("GET / HTTP/1.0\r\n\r\n").Send("HTTP/1.0 200 OK\r\n\r\nabc").Send("def");
  EXPECT_TRUE(talk.sink.exchanges.empty());
  talk.Shut(Direction::kSend);
  EXPECT_EQ(talk.Text(), "GET / 200 out:6");
  talk.Close();
  EXPECT_EQ(talk.table().size(), 0U);
}

TEST_F(Http1, HeadAndNotModifiedHaveNoBody) {
  talk.Receive("HEAD /h HTTP/1.1\r\n\r\n").Send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  talk.Receive(kGet).Send("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
  talk.Receive(kGet).Send("HTTP/1.1 204 No Content\r\n\r\n");
  talk.Receive("HEAD /h HTTP/1.1\r\n\r\n")
      .Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(talk.Text(), "HEAD /h 200\nGET /a?x=1 304\nGET /a?x=1 204\nHEAD /h 200");
}

TEST_F(Http1, InterimResponses) {
  talk.Receive("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  talk.Send("HTTP/1.1 100 Continue\r\n\r\n").Receive("abc");
  talk.Send("HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
  EXPECT_TRUE(talk.sink.responses.empty());
  talk.Send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(talk.Text(), "POST /p 201 in:3");
  ASSERT_EQ(talk.sink.responses.size(), 1U);
  EXPECT_EQ(talk.sink.responses[0].second.first_mono_ns, 1'000'005'000U);
  EXPECT_TRUE(std::get<HttpExchange>(talk.sink.exchanges[0].detail).response.headers.size() == 1);
}

TEST_F(Http1, UpgradeEndsWithItsHead) {
  talk.Receive("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
  talk.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi");
  EXPECT_EQ(talk.Text(), "GET /ws 101");
  talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.sink.exchanges.size(), 1U);
  ASSERT_EQ(talk.sink.verdicts.size(), 2U);
  EXPECT_FALSE(talk.sink.verdicts[1].second);
  EXPECT_EQ(talk.Metric("sonde_connections", "ignored"), 1);
  EXPECT_EQ(talk.Metric("sonde_connections", "http1"), 0);
}

TEST_F(Http1, Connect) {
  talk.Receive("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n")
      .Send("HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno");
  talk.Receive("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n").Send("HTTP/1.1 200 Connected\r\n\r\n");
  talk.Receive("\x16\x03\x01");
  EXPECT_EQ(talk.Text(), "CONNECT h:443 407 out:2\nCONNECT h:443 200");
}

TEST_F(Http1, LiberalForms) {
  talk.Receive("\r\n\r\nGET /1 HTTP/1.1\nHost: h\n\n").Send("HTTP/1.1 200\nContent-Length: 1\n\nx");
  talk.Receive("\r\nOPTIONS * HTTP/1.1\r\n\r\n").Send(kNoBody);
  talk.Receive("GET http://h/p HTTP/1.1\r\n\r\n").Send(kNoBody);
  EXPECT_EQ(talk.Text(), "GET /1 200 out:1\nOPTIONS * 200\nGET http://h/p 200");
}

TEST_F(Http1, LeadingEmptyLinesBetweenRequests) {
  talk.Receive(kGet).Send(kOk).Receive("\r\n").Receive("\r\n\nGET /1 HTTP/1.1\nHost: h\n\n");
  talk.Send("HTTP/1.1 200\nContent-Length: 1\n\nx");
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5\nGET /1 200 out:1");
}

TEST_F(Http1, LongHeadKeepsStartLineAndFraming) {
  std::string head = "POST /long HTTP/1.1\r\nContent-Length: 3\r\n";
  while (head.size() < (100U << 10)) head += "X-Pad: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
  const std::string message = head + "\r\nabc";
  for (const size_t step : {message.size(), size_t{4000}, size_t{65536}, size_t{70}}) {
    Conversation one(RegisteredProtocols());
    for (size_t at = 0; at < message.size(); at += step) one.Receive(message.substr(at, step));
    one.Send(kOk).Receive(kGet).Send(kOk);
    EXPECT_EQ(one.Text(), "POST /long 200 in:3 out:5 truncated:1\nGET /a?x=1 200 out:5") << step;
  }
}

TEST_F(Http1, ClosedWithoutAnswer) {
  talk.Receive(kGet).Close();
  EXPECT_EQ(talk.Text(), "GET /a?x=1 - closed");
  EXPECT_EQ(talk.table().size(), 0U);
}

TEST_F(Http1, ClosedInTheMiddleOfTheAnswer) {
  talk.Receive(kGet).Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012").Close();
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 closed");
  EXPECT_EQ(talk.sink.exchanges[0].response.wire_bytes, 42U);
}

TEST_F(Http1, HalfClosedByTheClient) {
  talk.Receive(kGet).Shut(Direction::kReceive);
  talk.Send(kOk);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5");
}

TEST_F(Http1, ShutdownGivesOutWhatIsOpen) {
  talk.Receive("GET / HTTP/1.0\r\n\r\n").Send("HTTP/1.0 200 OK\r\n\r\nabc").Stop();
  EXPECT_EQ(talk.Text(), "GET / 200 shutdown");
}

TEST_F(Http1, TimeoutAndTheLateAnswer) {
  talk.Receive(kGet).Wait(1000ULL * 1'000'000'000);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 - timeout");
  talk.Send(kOk).Receive("GET /2 HTTP/1.1\r\n\r\n").Send(kNoBody);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 - timeout\nGET /2 200");
}

TEST_F(Http1, ProcessExitEndsWhatItHadOpen) {
  talk.Receive(kGet);
  ProcessEvent exit;
  exit.mono_ns = talk.now_ns() + 1;
  exit.change = ProcessChange::kExit;
  exit.tgid = 100;
  talk.table().OnProcess(exit);
  talk.Wait(2'000'000'000);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 - closed");
}

TEST_F(Http1, ExecutionComesFromTheCallsNotTheConnection) {
  talk.As({.tgid = 7, .tid = 70, .id = 1})
      .Receive("GET / HTTP/1.1\r\n")
      .As({.tgid = 8, .tid = 80, .id = 2});
  talk.Receive("\r\n").As({.tgid = 9, .tid = 90, .id = 3}).Send(kOk);
  ASSERT_EQ(talk.sink.exchanges.size(), 1U);
  EXPECT_EQ(talk.sink.exchanges[0].request.first_by.tgid, 7U);
  EXPECT_EQ(talk.sink.exchanges[0].request.last_by.tgid, 8U);
  EXPECT_EQ(talk.sink.exchanges[0].response.first_by.tgid, 9U);
}

TEST_F(Http1, WireTellsTheServerSide) {
  Conversation wire(RegisteredProtocols(), {.wire = true});
  wire.Send(kGet).Receive(kOk);
  ASSERT_EQ(wire.sink.exchanges.size(), 1U);
  EXPECT_EQ(wire.sink.exchanges[0].role, Role::kServer);
  EXPECT_EQ(wire.sink.infos[0].local.port, 40000);
  wire.Wait(5'000'000'000).Send(kGet).Receive(kOk);
  ASSERT_EQ(wire.sink.exchanges.size(), 2U);
  EXPECT_EQ(wire.sink.infos[1].local.port, 40000);
}

// Attached between a request and its answer: the answer must not go to the next request, nor each
// later one to the request after its own.
TEST_F(Http1, FirstSeenBetweenRequestAndAnswer) {
  talk.Send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
  for (int i = 0; i < 3; ++i) talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5\nGET /a?x=1 200 out:5\nGET /a?x=1 200 out:5");
  for (const Exchange& exchange : talk.sink.exchanges) {
    EXPECT_LT(exchange.request.first_mono_ns, exchange.response.first_mono_ns);
  }
}

TEST_F(Http1, UnixPositionsAreCounts) {
  Conversation unix_talk(RegisteredProtocols(),
                         {.transport = Transport::kUnix, .first_receive = 0, .first_send = 0});
  unix_talk.Receive(kGet).Send(kOk).Receive(kGet).Send(kOk);
  ASSERT_EQ(unix_talk.sink.exchanges.size(), 2U);
  EXPECT_EQ(unix_talk.sink.exchanges[0].request.first_position, 0U);
  EXPECT_EQ(unix_talk.sink.exchanges[1].request.first_position, sizeof(kGet) - 1);
}

TEST_F(Http1, SequenceNumbersWrapAround) {
  Conversation wrap(RegisteredProtocols(),
                    {.first_receive = 0xffffffe0U, .first_send = 0xfffffff0U});
  for (int i = 0; i < 3; ++i) wrap.Receive(kGet).Send(kOk);
  EXPECT_EQ(wrap.sink.exchanges.size(), 3U);
  EXPECT_EQ(wrap.sink.exchanges[1].request.first_position,
            (0xffffffe0U + sizeof(kGet) - 1) & 0xffffffffU);
  EXPECT_EQ(wrap.Metric("sonde_stream_events_total"), 0);
}

TEST_F(Http1, IdleConnectionsGoOnWhereTheyStood) {
  talk.Receive(kGet).Send(kOk).Wait(3'000'000'000).Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.sink.exchanges.size(), 2U);
  EXPECT_EQ(talk.sink.verdicts.size(), 1U);
}

}  // namespace
}  // namespace sonde::protocol
