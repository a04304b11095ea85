// SPDX-License-Identifier: Apache-2.0
// Large heads, slow peers and full buffers: what fits is understood, what does not is counted, and
// the connection is in step afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
constexpr size_t kHeadLimit = 64U << 10;

constexpr char kNext[] = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr char kNoContent[] = "HTTP/1.1 204 No Content\r\n\r\n";

// A head of exactly `size` bytes.
std::string Head(const std::string& start, size_t size) {
  std::string head = start;
  while (size - head.size() > 400) head += "X-Pad: " + std::string(191, 'p') + "\r\n";
  head += "X-Last: ";
  head += std::string(size - head.size() - 4, 'l');
  return head + "\r\n\r\n";
}

void Feed(Conversation& talk, Direction direction, std::string_view bytes, size_t step) {
  for (size_t at = 0; at < bytes.size(); at += step) talk.Move(direction, bytes.substr(at, step));
}

class HeadsInReads : public ::testing::TestWithParam<size_t> {};

TEST_P(HeadsInReads, UpToTheLimitAreWhole) {
  const std::string request =
      Head("POST /big HTTP/1.1\r\nContent-Length: 3\r\n", kHeadLimit) + "abc";
  const std::string response = Head("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", kHeadLimit) + "ok";
  Conversation talk(RegisteredProtocols());
  Feed(talk, kIn, request, GetParam());
  Feed(talk, kOut, response, GetParam());
  talk.Receive(kNext).Send(kNoContent);
  ASSERT_EQ(talk.Text(), "POST /big 200 in:3 out:2\nGET /next 204");
  const auto& http = std::get<HttpExchange>(talk.sink.exchanges[0].detail);
  EXPECT_EQ(http.request.headers.back().name, "x-last");
  EXPECT_EQ(talk.sink.exchanges[0].request.wire_bytes, request.size());
  EXPECT_EQ(talk.sink.exchanges[0].response.wire_bytes, response.size());
  EXPECT_EQ(talk.Metric("sonde_events_dropped_total"), 0);
}

TEST_P(HeadsInReads, OneByteMoreIsTruncatedButFramed) {
  const std::string request =
      Head("POST /big HTTP/1.1\r\nContent-Length: 3\r\n", kHeadLimit + 1) + "abc";
  const std::string response =
      Head("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", kHeadLimit + 1) + "ok";
  Conversation talk(RegisteredProtocols());
  Feed(talk, kIn, request, GetParam());
  Feed(talk, kOut, response, GetParam());
  talk.Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.Text(), "POST /big 200 in:3 out:2 truncated:3\nGET /next 204");
}

INSTANTIATE_TEST_SUITE_P(Limits, HeadsInReads,
                         ::testing::Values(1, 2, 63, 1460, 4096, 65535, 65536, 1U << 20));

// 20 MB of header lines: kept are the start line and the first fields, and nothing else is
// buffered.
TEST(Limits, AMillionHeaders) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("GET /million HTTP/1.1\r\nHost: h\r\n");
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "X-Header-Name: value\r\n";
  size_t most = 0;
  for (int i = 0; i < 10'000; ++i) {
    talk.Receive(lines);
    most = std::max(most, talk.table().buffered_bytes());
  }
  EXPECT_LE(most, size_t{256} << 10);
  talk.Receive("\r\n").Send(kNoContent).Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.Text(), "GET /million 204 truncated:1\nGET /next 204");
  EXPECT_LE(std::get<HttpExchange>(talk.sink.exchanges[0].detail).request.headers.size(), 512U);
}

TEST(Limits, AMillionHeadersWithoutEnd) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("GET /million HTTP/1.1\r\n");
  for (int i = 0; i < 1000; ++i) talk.Receive(std::string(1000, 'x'));
  EXPECT_LE(talk.table().buffered_bytes(), size_t{256} << 10);
  talk.Close();
  EXPECT_EQ(talk.Text(), "GET /million - closed truncated:1");
}

TEST(Limits, AStartLineLongerThanAllHeads) {
  Conversation talk(RegisteredProtocols());
  Feed(talk, kIn, "GET /" + std::string(200'000, 'u') + " HTTP/1.1\r\n\r\n", 1000);
  talk.Send("HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n");
  talk.Wait(1'000'000'000).Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.Text(), "GET /next 204");
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

TEST(Limits, ALongUrlIsWhole) {
  Conversation talk(RegisteredProtocols());
  const std::string path = "/" + std::string(60'000, 'u');
  for (const std::string& target : {path, "http://h" + path}) {
    talk.Receive("GET " + target + " HTTP/1.1\r\n\r\n").Send(kNoContent);
    ASSERT_FALSE(talk.sink.exchanges.empty());
    EXPECT_EQ(std::get<HttpExchange>(talk.sink.exchanges.back().detail).request.target, target);
  }
  EXPECT_EQ(talk.sink.exchanges.size(), 2U);
}

TEST(Limits, ASlowPeerOfAnUnknownMethod) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(kNext).Send(kNoContent);
  Feed(talk, kIn, "BREW /" + std::string(8000, 'p') + " HTTP/1.1\r\n\r\n", 1);
  talk.Send(kNoContent);
  EXPECT_EQ(talk.sink.exchanges.size(), 2U);
}

// The buffer of the connection is smaller than the head: a hole in it, and in step again.
TEST(Limits, HeadBeyondTheConnectionBuffer) {
  Conversation::Options options;
  options.limits.connection_bytes = 8U << 10;
  Conversation talk(RegisteredProtocols(), options);
  Feed(talk, kIn, Head("GET /big HTTP/1.1\r\nHost: h\r\n", 20'000), 1000);
  talk.Send(kNoContent).Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.Text(), "GET /big 204 truncated:5\nGET /next 204");
  EXPECT_GT(talk.Metric("sonde_events_dropped_total", "connection_buffer"), 0);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

// All memory is taken by peers that do not finish their heads: others, whose messages come whole,
// are not touched.
TEST(Limits, TotalBufferTakenByOthers) {
  Conversation::Options options;
  options.limits.total_connection_bytes = 64U << 10;
  Conversation talk(RegisteredProtocols(), options);
  for (ConnectionId id = 2; id < 30; ++id) {
    talk.On(id).Open().Receive(Head("GET /slow HTTP/1.1\r\n", 8000).substr(0, 7000));
  }
  EXPECT_GT(talk.Metric("sonde_events_dropped_total", "total_buffer"), 0);
  EXPECT_LE(talk.table().buffered_bytes(), size_t{64} << 10);
  talk.On(100).Open().Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.Text(), "GET /next 204");
  for (ConnectionId id = 2; id < 30; ++id) talk.On(id).Close();
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  talk.On(200).Open();
  Feed(talk, kIn, Head("GET /again HTTP/1.1\r\n", 8000), 500);
  talk.Send(kNoContent);
  EXPECT_EQ(Conversation::Describe(talk.sink.exchanges.back()), "GET /again 204");
}

TEST(Limits, MoreConnectionsThanAllowed) {
  Conversation::Options options;
  options.limits.max_connections = 100;
  Conversation talk(RegisteredProtocols(), options);
  for (ConnectionId id = 2; id < 1000; ++id) talk.On(id).Open().Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.table().size(), 100U);
  EXPECT_EQ(talk.sink.exchanges.size(), 998U);
  EXPECT_EQ(talk.Metric("sonde_events_dropped_total", "connection_evicted"), 899);
  // A forgotten one that speaks again is taken up anew.
  talk.On(5).Receive(kNext).Send(kNoContent);
  EXPECT_EQ(talk.sink.exchanges.size(), 999U);
}

TEST(Limits, PipelinedBeyondMeasure) {
  Conversation talk(RegisteredProtocols());
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /p HTTP/1.1\r\n\r\n";
  talk.Receive(many);
  EXPECT_EQ(talk.sink.starts.size(), 1024U);  // match.h: kMaxOpen
  EXPECT_EQ(talk.sink.exchanges.size(), 1024U);
  for (const Exchange& exchange : talk.sink.exchanges) EXPECT_FALSE(exchange.response.seen);
  talk.Send(kNoContent).Close();
  EXPECT_EQ(talk.sink.exchanges.size(), 1024U);
}

TEST(Limits, ChunkLinesAndTrailersBeyondMeasure) {
  for (const std::string& body :
       {"5" + std::string(5000, ';') + "\r\n", "0\r\n" + std::string(70'000, 't') + "\r\n\r\n",
        std::string("ffffffffffffffff\r\nx"), std::string("-1\r\n")}) {
    Conversation talk(RegisteredProtocols());
    talk.Receive(kNext).Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    Feed(talk, kOut, body, 1000);
    talk.Receive(kNext).Send(kNoContent);
    EXPECT_EQ(talk.Text(), "GET /next 200 truncated:8\nGET /next 204") << body.substr(0, 20);
  }
}

}  // namespace
}  // namespace sonde::protocol
