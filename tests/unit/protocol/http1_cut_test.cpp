// SPDX-License-Identifier: Apache-2.0
// However a message is cut into calls, the result is the same: each message cut at every byte into
// two and three records, and one byte at a time.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "support/conversation.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;

struct CutCase {
  const char* name;
  std::string request;
  std::string response;
  bool close = false;
};

const std::vector<CutCase>& Cases() {
  static const std::vector<CutCase> kCases = {
      {"length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"},
      {"chunked",
       "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\n\n\r\n0\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n"},
      {"interim", "GET /i HTTP/1.1\r\n\r\n",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 200 "
       "OK\r\nContent-Length: 2\r\n\r\nok"},
      {"bare_lf", "GET /lf HTTP/1.1\nA: b\n  c\n\n", "HTTP/1.0 200\nContent-Length: 1\n\nx"},
      {"close", "GET /close HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end\r\n\r\n",
       true},
      {"pipelined", "GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
      {"message_in_body", "POST /m HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
      {"unknown_method", "BREW /pot HTTP/1.1\r\n\r\n",
       "HTTP/1.1 418 \r\nContent-Length: 0\r\n\r\n"},
  };
  return kCases;
}

std::string RunCase(const CutCase& c, const std::vector<std::string_view>& request,
                    const std::vector<std::string_view>& response) {
  Conversation talk(RegisteredProtocols());
  for (const std::string_view piece : request) talk.Receive(piece);
  for (const std::string_view piece : response) talk.Send(piece);
  if (c.close) talk.Shut(Direction::kSend);
  // The connection is in step afterwards.
  if (!c.close) talk.Receive("GET /next HTTP/1.1\r\n\r\n").Send("HTTP/1.1 204 N\r\n\r\n");
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  EXPECT_EQ(talk.sink.starts.size(), talk.sink.exchanges.size());
  std::string text = talk.Text();
  for (const Exchange& exchange : talk.sink.exchanges) {
    text += " " + std::to_string(exchange.request.first_position) + "+" +
            std::to_string(exchange.request.wire_bytes);
    text += " " + std::to_string(exchange.response.first_position) + "+" +
            std::to_string(exchange.response.wire_bytes);
    for (const HttpHeader& h : std::get<HttpExchange>(exchange.detail).response.headers)
      text += h.name + h.value;
  }
  return text;
}

std::vector<std::string_view> Cut(std::string_view text, size_t a, size_t b) {
  std::vector<std::string_view> pieces;
  for (const std::string_view piece : {text.substr(0, a), text.substr(a, b - a), text.substr(b)}) {
    if (!piece.empty()) pieces.push_back(piece);
  }
  return pieces;
}

std::vector<std::string_view> Bytes(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

class EveryCut : public ::testing::TestWithParam<size_t> {};

TEST_P(EveryCut, SameResult) {
  const CutCase& c = Cases()[GetParam()];
  const std::string whole = RunCase(c, {c.request}, {c.response});
  ASSERT_NE(whole.find(" 200"),
            c.name == std::string_view("unknown_method") ? 0U : std::string::npos)
      << whole;
  ASSERT_EQ(whole.find("truncated"), std::string::npos) << whole;
  for (size_t a = 0; a <= c.request.size(); ++a) {
    for (size_t b = a; b <= c.request.size(); ++b) {
      ASSERT_EQ(RunCase(c, Cut(c.request, a, b), {c.response}), whole)
          << "request cut at " << a << ", " << b;
    }
  }
  for (size_t a = 0; a <= c.response.size(); ++a) {
    for (size_t b = a; b <= c.response.size(); ++b) {
      ASSERT_EQ(RunCase(c, {c.request}, Cut(c.response, a, b)), whole)
          << "response cut at " << a << ", " << b;
    }
  }
  ASSERT_EQ(RunCase(c, Bytes(c.request), Bytes(c.response)), whole);
}

INSTANTIATE_TEST_SUITE_P(Http1, EveryCut, ::testing::Range(size_t{0}, Cases().size()),
                         [](const auto& test) { return Cases()[test.param].name; });

}  // namespace
}  // namespace sonde::protocol
