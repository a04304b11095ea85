// SPDX-License-Identifier: Apache-2.0
// Loss and late attach: never a wrong pair, never a message made of body bytes, and in step again
// at the next exchange.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/registry.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"

namespace sonde::protocol {
namespace {

using testing::Conversation;
using testing::OwnedData;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
constexpr uint64_t kLongAgo = 200'000'000;

std::string Request(int n) { return "GET /" + std::to_string(n) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }
// Each answer names its request, so that a wrong pair shows.
std::string Response(int n, std::string_view body = "ok") {
  return "HTTP/1.1 200 OK\r\nX-For: /" + std::to_string(n) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// "" if every exchange with a response has its own one.
std::string WrongPairs(const Conversation& talk) {
  std::string wrong;
  for (const Exchange& exchange : talk.sink.exchanges) {
    const auto& http = std::get<HttpExchange>(exchange.detail);
    for (const HttpHeader& header : http.response.headers) {
      if (header.name == "x-for" && header.value != http.request.target) {
        wrong += http.request.target + " got " + header.value + "; ";
      }
    }
  }
  return wrong;
}

bool Contains(const Conversation& talk, const std::string& line) {
  return ("\n" + talk.Text() + "\n").find("\n" + line + "\n") != std::string::npos;
}

struct Piece {
  Direction direction;
  std::string bytes;
};

// A conversation with everything: split heads, split bodies, chunks, interim answers, uploads.
std::vector<Piece> LongTalk() {
  return {{kIn, Request(0)},
          {kOut, Response(0)},
          {kIn, "GET /1 HTTP/1.1\r\nHo"},
          {kIn, "st: h\r\n\r\n"},
          {kOut, "HTTP/1.1 200 OK\r\nX-For: /1\r\nContent-"},
          {kOut, "Length: 10\r\n\r\n01"},
          {kOut, "234567"},
          {kOut, "89"},
          {kIn, "POST /2 HTTP/1.1\r\nContent-Length: 30\r\nExpect: 100-continue\r\n\r\n"},
          {kOut, "HTTP/1.1 100 Continue\r\n\r\n"},
          {kIn, "GET /x HTTP/1.1\r\n"},
          {kIn, "\r\n01234567890"},
          {kOut, Response(2)},
          {kIn, Request(3)},
          {kOut, "HTTP/1.1 200 OK\r\nX-For: /3\r\nTransfer-Encoding: chunked\r\n\r\n"},
          {kOut, "5\r\nhello\r\n"},
          {kOut, "13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n"},
          {kOut, "3\r\nabc\r\n"},
          {kOut, "0\r\n\r\n"},
          {kIn, "POST /4 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
          {kIn, "4\r\nabcd\r\n"},
          {kIn, "0\r\n\r\n"},
          {kOut, Response(4)},
          {kIn, Request(5)},
          {kOut, Response(5)},
          {kIn, Request(6)},
          {kOut, Response(6)}};
}

// Which pieces belong to exchange n.
int ExchangeOf(size_t piece) {
  constexpr size_t kEnds[] = {2, 8, 13, 19, 23, 25, 27};
  int n = 0;
  while (piece >= kEnds[n]) ++n;
  return n;
}

constexpr const char* kWhole[] = {
    "GET /0 200 out:2",       "GET /1 200 out:10", "POST /2 200 in:30 out:2", "GET /3 200 out:27",
    "POST /4 200 in:4 out:2", "GET /5 200 out:2",  "GET /6 200 out:2"};

TEST(Loss, NothingLost) {
  Conversation talk(RegisteredProtocols());
  for (const Piece& piece : LongTalk()) talk.Move(piece.direction, piece.bytes);
  std::string all;
  for (const char* line : kWhole) all += (all.empty() ? "" : "\n") + std::string(line);
  EXPECT_EQ(talk.Text(), all);
}

class LossOfOne : public ::testing::TestWithParam<bool> {};

TEST_P(LossOfOne, AnyRecordMayBeMissing) {
  const std::vector<Piece> pieces = LongTalk();
  for (size_t lost = 0; lost < pieces.size(); ++lost) {
    Conversation talk(RegisteredProtocols());
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (i == lost) {
        talk.Lose(pieces[i].direction, pieces[i].bytes.size());
      } else {
        talk.Move(pieces[i].direction, pieces[i].bytes);
      }
      // With and without a tick between: the hole is declared at different moments.
      if (GetParam()) talk.Wait(kLongAgo);
    }
    talk.Wait(kLongAgo).Wait(kLongAgo).Close();
    EXPECT_EQ(WrongPairs(talk), "") << "lost " << lost << "\n" << talk.Text();
    EXPECT_FALSE(Contains(talk, "GET /x 200 out:2")) << "body taken for a request, lost " << lost;
    // What is not next to the loss is whole.
    for (int n = 0; n <= 6; ++n) {
      const int hit = ExchangeOf(lost);
      if (n == hit || n == hit + 1) continue;
      EXPECT_TRUE(Contains(talk, kWhole[n])) << "lost " << lost << ", missing " << kWhole[n] << "\n"
                                             << talk.Text();
    }
    EXPECT_LE(talk.sink.exchanges.size(), 7U) << "lost " << lost << "\n" << talk.Text();
    EXPECT_EQ(talk.sink.starts.size(), talk.sink.exchanges.size());
    EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  }
}
INSTANTIATE_TEST_SUITE_P(Http1, LossOfOne, ::testing::Bool());

TEST(Loss, AnyTwoNeighboursMayComeInTheOtherOrder) {
  const std::vector<Piece> pieces = LongTalk();
  std::string all;
  for (const char* line : kWhole) all += (all.empty() ? "" : "\n") + std::string(line);
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    if (pieces[i].direction != pieces[i + 1].direction || i == 0) continue;
    Conversation talk(RegisteredProtocols());
    std::vector<OwnedData> records;
    for (const Piece& piece : pieces) records.push_back(talk.Make(piece.direction, piece.bytes));
    std::swap(records[i], records[i + 1]);
    for (const OwnedData& record : records) talk.Play(record);
    EXPECT_EQ(talk.Text(), all) << "swapped " << i;
  }
}

TEST(Loss, RepeatedRecordsChangeNothing) {
  Conversation talk(RegisteredProtocols());
  std::string all;
  for (const char* line : kWhole) all += (all.empty() ? "" : "\n") + std::string(line);
  for (const Piece& piece : LongTalk()) {
    const OwnedData record = talk.Make(piece.direction, piece.bytes);
    talk.Play(record).Play(record);
  }
  EXPECT_EQ(talk.Text(), all);
  EXPECT_EQ(talk.Metric("sonde_stream_events_total", "duplicate"), 27);
}

TEST(Loss, RequestOvertakenByItsAnswer) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(Request(0)).Send(Response(0));
  const OwnedData request = talk.Make(kIn, Request(1));
  const OwnedData response = talk.Make(kOut, Response(1));
  talk.Play(response).Play(request);
  EXPECT_EQ(talk.Text(), "GET /0 200 out:2\nGET /1 200 out:2");
}

TEST(Loss, AnswerOfALostRequestIsNotGivenToTheNext) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(Request(0)).Send(Response(0));
  talk.Lose(kIn, Request(1).size()).Send(Response(1));
  talk.Receive(Request(2)).Send(Response(2)).Wait(kLongAgo);
  EXPECT_EQ(talk.Text(), "GET /0 200 out:2\nGET /2 200 out:2");
  EXPECT_EQ(WrongPairs(talk), "");
}

TEST(Loss, PipelinedLossGivesUpThePairing) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(Request(9)).Send(Response(9));
  talk.Receive(Request(0) + Request(1) + Request(2));
  talk.Lose(kOut, Response(0).size()).Send(Response(1)).Wait(kLongAgo);
  talk.Send(Response(2)).Receive(Request(3)).Send(Response(3)).Wait(kLongAgo);
  EXPECT_EQ(WrongPairs(talk), "");
  EXPECT_EQ(
      talk.Text(),
      "GET /9 200 out:2\nGET /0 - truncated:32\nGET /1 - truncated:32\nGET /2 - truncated:32");
}

TEST(Loss, HoleInAHead) {
  Conversation talk(RegisteredProtocols());
  const std::string head = "GET /0 HTTP/1.1\r\nA: b\r\nC: " + std::string(3000, 'c') + "\r\n\r\n";
  talk.Cut(kIn, head, 100).Send(Response(0));
  talk.Receive(Request(1)).Send(Response(1));
  EXPECT_EQ(talk.Text(), "GET /0 200 out:2 truncated:5\nGET /1 200 out:2");
  const auto& http = std::get<HttpExchange>(talk.sink.exchanges[0].detail);
  ASSERT_EQ(http.request.headers.size(), 1U);
}

TEST(Loss, SizeLinesNotCaptured) {
  Conversation talk(RegisteredProtocols());
  const std::string chunk = "400\r\n" + std::string(0x400, 'x') + "\r\n";
  talk.Receive(Request(0))
      .Send("HTTP/1.1 200 OK\r\nX-For: /0\r\nTransfer-Encoding: chunked\r\n\r\n");
  // Several chunks in one call, of which only the first size line was copied; then the end, seen in
  // a tail.
  talk.Cut(kOut, chunk + chunk + chunk, 128).Cut(kOut, chunk + chunk, 128);
  EXPECT_TRUE(talk.sink.exchanges.empty());
  talk.Cut(kOut, chunk + chunk + "0\r\n\r\n", 128, 32);
  EXPECT_EQ(talk.Text(), "GET /0 200 truncated:8");
  talk.Receive(Request(1)).Send(Response(1));
  EXPECT_TRUE(Contains(talk, "GET /1 200 out:2"));
}

TEST(Loss, LostFramingEndsAtTheNextRequest) {
  Conversation talk(RegisteredProtocols());
  const std::string chunk = "400\r\n" + std::string(0x400, 'x') + "\r\n";
  talk.Receive(Request(0))
      .Send("HTTP/1.1 200 OK\r\nX-For: /0\r\nTransfer-Encoding: chunked\r\n\r\n");
  talk.Cut(kOut, chunk + chunk + "0\r\n\r\n", 128, 0);
  talk.Receive(Request(1)).Send(Response(1));
  EXPECT_EQ(talk.Text(), "GET /0 200 truncated:8\nGET /1 200 out:2");
}

TEST(Loss, ContradictingLengthsAreNotTrusted) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("POST /0 HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")
      .Send(Response(0));
  talk.Receive(Request(1)).Send(Response(1));
  EXPECT_EQ(talk.Text(), "POST /0 200 out:2 truncated:4\nGET /1 200 out:2");
}

TEST(LateAttach, InTheMiddleOfAResponseBody) {
  Conversation talk(RegisteredProtocols());
  talk.Send("some body, and then GET / HTTP/1.1\r\n\r\n")
      .Send("more of it\r\nHTTP/1.1 200 OK\r\n\r\n");
  talk.Receive(Request(1)).Send(Response(1)).Receive(Request(2)).Send(Response(2));
  EXPECT_EQ(talk.Text(), "GET /1 200 out:2\nGET /2 200 out:2");
}

TEST(LateAttach, InTheMiddleOfAnUpload) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("upload bytes").Receive("and GET / HTTP/1.1\r\n\r\n").Send(Response(0));
  talk.Receive(Request(1)).Send(Response(1));
  EXPECT_EQ(talk.Text(), "GET /1 200 out:2");
}

TEST(LateAttach, InTheMiddleOfAHead) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("ost: h\r\nUser-Agent: x\r\n\r\n")
      .Send(Response(0))
      .Receive(Request(1))
      .Send(Response(1));
  EXPECT_EQ(talk.Text(), "GET /1 200 out:2");
}

TEST(LateAttach, ResponseBodyThatBeginsLikeARequest) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(Request(0))
      .Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz");  // framing lost
  talk.Send("GET /evil HTTP/1.1\r\n\r\n").Send("HTTP/1.1 500 Evil\r\n\r\n").Close();
  EXPECT_EQ(talk.Text(), "GET /0 200 truncated:8");
}

TEST(LateAttach, UploadOfUnknownLengthThatBeginsLikeARequest) {
  Conversation talk(RegisteredProtocols());
  talk.Receive("POST /0 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz")
      .Receive("GET /evil HTTP/1.1\r\n\r\n");
  talk.Send(Response(0)).Receive(Request(1)).Send(Response(1));
  EXPECT_EQ(talk.Text(), "POST /0 200 out:2 truncated:4\nGET /1 200 out:2");
}

TEST(NotHttp, IsLeftAloneAfterThreeTurns) {
  Conversation talk(RegisteredProtocols());
  talk.Send("220 mail.example ESMTP\r\n").Receive("EHLO me\r\n");
  EXPECT_TRUE(talk.sink.verdicts.empty());
  talk.Send("250 fine\r\n");
  ASSERT_EQ(talk.sink.verdicts.size(), 1U);
  EXPECT_FALSE(talk.sink.verdicts[0].second);
  talk.Receive(Request(0)).Send(Response(0));
  EXPECT_TRUE(talk.sink.exchanges.empty());
  EXPECT_EQ(talk.Metric("sonde_connections", "ignored"), 1);
}

TEST(NotHttp, GarbageBetweenMessagesIsCountedAndPassed) {
  Conversation talk(RegisteredProtocols());
  talk.Receive(Request(0))
      .Send(Response(0))
      .Receive("\x01\x02garbage\n")
      .Receive(Request(1))
      .Send(Response(1));
  EXPECT_EQ(talk.Text(), "GET /0 200 out:2\nGET /1 200 out:2");
  EXPECT_EQ(talk.Metric("sonde_parse_outcomes_total", "invalid"), 1);
}

}  // namespace
}  // namespace sonde::protocol
