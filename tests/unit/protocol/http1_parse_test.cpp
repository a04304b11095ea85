// SPDX-License-Identifier: Apache-2.0
// Table tests of the pure functions: detection, heads, framing facts (RFC 9110, RFC 9112).
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/http1/parse.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {
namespace {

struct DetectCase {
  std::string_view bytes;
  Detection request;
  Detection response;
};

TEST(Detect, Table) {
  constexpr auto kNo = Detection::kNo;
  constexpr auto kYes = Detection::kYes;
  constexpr auto kMore = Detection::kNeedMore;
  const DetectCase cases[] = {
      {"GET / HTTP/1.1\r\n", kYes, kNo},
      {"GET /", kYes, kNo},
      {"G", kMore, kNo},
      {"GET ", kMore, kNo},
      {"GET foo\r\n", kNo, kNo},  // Redis inline, HTTP/0.9
      {"GET http://h/ HTTP/1.1\r\n", kYes, kNo},
      {"GET http://h/", kYes, kNo},
      {"GET http:/", kMore, kNo},
      {"GET HTTP://h/", kMore, kNo},
      {"GET  /a", kYes, kNo},  // RFC 9112 3: words may be parted by several blanks
      {"GET\t/a", kYes, kNo},
      {"GET  ", kMore, kNo},
      {"GET\r\n", kNo, kNo},
      {"OPTIONS * HTTP/1.1\r\n", kYes, kNo},
      {"CONNECT h:443 HTTP/1.1\r\n", kYes, kNo},
      {"BREW /pot HTTP/1.1\r\n", kYes, kNo},
      {"BREW /pot HTTP/1.1", kMore, kNo},
      {"GET / HTTP/1.1\n", kYes, kNo},
      {"BREW / HTTP/2.0\r\n", kNo, kNo},
      {"upload bytes HTTP/1.1\r\n", kNo, kNo},
      {"get / HTTP/1.1\r\n", kNo, kNo},
      {"", kNo, kMore},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kNo, kNo},
      {"\x16\x03\x01\x02", kNo, kNo},
      {"*3\r\n$3\r\nSET\r\n", kNo, kNo},
      {" GET / HTTP/1.1\r\n", kNo, kNo},
      {"HTTP/1.1 200 OK\r\n", kNo, kYes},
      {"HTTP/1.1 200", kNo, kYes},
      {"HTTP/1.0 404\r\n", kNo, kYes},
      {"HTTP/1.1 20", kNo, kMore},
      {"HT", kMore, kMore},
      {"HTTP/1.1 2000\r\n", kNo, kNo},
      {"HTTP/1.1 099 X\r\n", kNo, kNo},
      {"HTTP/2 200\r\n", kNo, kNo},
      {"220 mail ready\r\n", kNo, kNo},
  };
  for (const DetectCase& c : cases) {
    EXPECT_EQ(LooksLikeRequest(c.bytes), c.request) << c.bytes;
    EXPECT_EQ(LooksLikeResponse(c.bytes), c.response) << c.bytes;
  }
}

TEST(FindHeadEnd, EveryLineEnd) {
  for (const std::string_view head :
       {"a\r\n\r\n", "a\n\n", "a\r\n\n", "a\n\r\n", "GET / HTTP/1.1\r\nh: v\r\n\r\n"}) {
    const std::string bytes = std::string(head) + "body\n\n";
    for (size_t first = 0; first <= head.size(); ++first) {
      size_t scanned = 0;
      const size_t early = FindHeadEnd(std::string_view(bytes).substr(0, first), scanned);
      EXPECT_EQ(early, first == head.size() ? head.size() : 0U) << head;
      if (early != 0) continue;
      EXPECT_EQ(FindHeadEnd(bytes, scanned), head.size()) << head << " cut at " << first;
    }
  }
}

struct RequestCase {
  std::string_view head;
  std::string_view method;  // "" = invalid
  std::string_view target;
  std::string_view version;
};

TEST(RequestHead, Table) {
  const RequestCase cases[] = {
      {"GET /a?b=c HTTP/1.1\r\n\r\n", "GET", "/a?b=c", "1.1"},
      {"GET /a HTTP/1.0\n\n", "GET", "/a", "1.0"},
      {"GET  /a   HTTP/1.1 \r\n\r\n", "GET", "/a", "1.1"},
      {"GET /with blank HTTP/1.1\r\n\r\n", "GET", "/with blank", "1.1"},
      {"GET /HTTP/1.0 HTTP/1.1\r\n\r\n", "GET", "/HTTP/1.0", "1.1"},
      {"GET http://u@h:1/p HTTP/1.1\r\n\r\n", "GET", "http://u@h:1/p", "1.1"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS", "*", "1.1"},
      {"CONNECT h:443 HTTP/1.1\r\n\r\n", "CONNECT", "h:443", "1.1"},
      {"M-SEARCH * HTTP/1.1\r\n\r\n", "M-SEARCH", "*", "1.1"},
      {"get /\xff\x01 HTTP/1.1\r\n\r\n", "get", "/\xff\x01", "1.1"},
      {"GET / HTTP/1.12\r\n\r\n", "", "", ""},
      {"GET /\r\n\r\n", "", "", ""},
      {"GET HTTP/1.1\r\n\r\n", "", "", ""},
      {"G(T / HTTP/1.1\r\n\r\n", "", "", ""},
      {"\r\n\r\n", "", "", ""},
      {"", "", "", ""},
  };
  for (const RequestCase& c : cases) {
    HttpRequest request;
    EXPECT_EQ(ParseRequestHead(c.head, true, request).valid, !c.method.empty()) << c.head;
    EXPECT_EQ(request.method, c.method) << c.head;
    EXPECT_EQ(request.target, c.target) << c.head;
    EXPECT_EQ(request.version, c.version) << c.head;
  }
}

TEST(ResponseHead, StatusLines) {
  for (const std::string_view line :
       {"HTTP/1.1 204 No Content", "HTTP/1.1 204", "HTTP/1.1 204 ", "HTTP/1.1 204 \xe2"}) {
    HttpResponse response;
    EXPECT_TRUE(ParseResponseHead(std::string(line) + "\r\n\r\n", true, response).valid) << line;
    EXPECT_EQ(response.status, 204U) << line;
    EXPECT_EQ(response.version, "1.1") << line;
  }
  HttpResponse response;
  EXPECT_FALSE(ParseResponseHead("HTTP/1.1 20x OK\r\n\r\n", true, response).valid);
}

TEST(Fields, LowerCasedTrimmedUnfoldedAndKeptInOrder) {
  HttpRequest request;
  const HeadResult head = ParseRequestHead(
      "GET / HTTP/1.1\r\nHost:h\r\nX-A:  1 \t\r\nnonsense\r\nX-Fold: a\r\n  "
      "b\r\n\tc\r\nx-a:2\r\nEmpty:\r\nSp : v\r\n\r\n",
      true, request);
  EXPECT_FALSE(head.truncated);
  std::string text;
  for (const HttpHeader& header : request.headers) text += header.name + "=" + header.value + "|";
  EXPECT_EQ(text, "host=h|x-a=1|x-fold=a b c|x-a=2|empty=|sp=v|");
}

TEST(Fields, CutHeadLeavesOutThePartialLine) {
  HttpRequest request;
  const HeadResult head =
      ParseRequestHead("GET / HTTP/1.1\r\nA: 1\r\nContent-Length: 12", false, request);
  EXPECT_TRUE(head.valid);
  EXPECT_TRUE(head.truncated);
  EXPECT_FALSE(head.body.has_length);
  ASSERT_EQ(request.headers.size(), 1U);
}

TEST(Fields, TooManyAreCountedForFramingOnly) {
  std::string text = "POST / HTTP/1.1\r\n";
  for (int i = 0; i < 2000; ++i) text += "a: b\r\n";
  text += "Content-Length: 7\r\n\r\n";
  HttpRequest request;
  const HeadResult head = ParseRequestHead(text, true, request);
  EXPECT_EQ(request.headers.size(), kMaxHeaders);
  EXPECT_TRUE(head.truncated);
  EXPECT_EQ(head.body.length, 7U);
}

struct FramingCase {
  std::string_view fields;
  Framing request;
  Framing response;
};

TEST(Framing, Table) {
  const FramingCase cases[] = {
      {"", Framing::kNone, Framing::kUntilClose},
      {"Content-Length: 5\r\n", Framing::kLength, Framing::kLength},
      {"Content-Length: 0\r\n", Framing::kNone, Framing::kNone},
      {"content-length:5\r\nCONTENT-LENGTH: 5\r\n", Framing::kLength, Framing::kLength},
      {"Content-Length: 5, 5\r\n", Framing::kLength, Framing::kLength},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Content-Length: 5, 6\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Content-Length: -5\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Content-Length: +5\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Content-Length: 99999999999999999999\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Content-Length:\r\n", Framing::kUnknown, Framing::kUnknown},
      {"Transfer-Encoding: chunked\r\n", Framing::kChunked, Framing::kChunked},
      {"Transfer-Encoding: gzip, CHUNKED\r\n", Framing::kChunked, Framing::kChunked},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Framing::kChunked,
       Framing::kChunked},
      {"Transfer-Encoding: gzip\r\n", Framing::kUnknown, Framing::kUntilClose},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Framing::kChunked, Framing::kChunked},
  };
  for (const FramingCase& c : cases) {
    HttpRequest request;
    const HeadResult head =
        ParseRequestHead("POST / HTTP/1.1\r\n" + std::string(c.fields) + "\r\n", true, request);
    EXPECT_EQ(RequestFraming(head.body), c.request) << c.fields;
    EXPECT_EQ(ResponseFraming(head.body, 200, false), c.response) << c.fields;
    EXPECT_EQ(ResponseFraming(head.body, 200, true), Framing::kNone) << c.fields;
    EXPECT_EQ(ResponseFraming(head.body, 204, false), Framing::kNone) << c.fields;
    EXPECT_EQ(ResponseFraming(head.body, 304, false), Framing::kNone) << c.fields;
  }
}

}  // namespace
}  // namespace sonde::protocol::http1
