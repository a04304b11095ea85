// SPDX-License-Identifier: Apache-2.0
#include "sonde/wire/sniff.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "unit/wire/wire_input.h"

namespace sonde::wire_test {
namespace {

constexpr std::string_view kMethods[] = {
    "GET",   "POST",     "PUT",    "HEAD",      "DELETE", "PATCH",           "OPTIONS",
    "TRACE", "PROPFIND", "COPY",   "PROPPATCH", "MKCOL",  "MKCALENDAR",      "MKACTIVITY",
    "MOVE",  "LOCK",     "UNLOCK", "SEARCH",    "REPORT", "CHECKOUT",        "MERGE",
    "ACL",   "BIND",     "UNBIND", "LINK",      "UNLINK", "VERSION-CONTROL", "QUERY",
    "PURGE"};

TEST(SniffTest, RequestsOfEveryMethod) {
  for (const std::string_view method : kMethods) {
    for (const std::string_view target : {"/", "/a/b?c", "*", "http://a/", "HTTPS://a/"}) {
      const std::string line = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
      EXPECT_EQ(Sniff(line), SONDE_SNIFF_REQUEST) << line;
    }
  }
  for (const std::string_view line :
       {"CONNECT a.b:443 HTTP/1.1", "CONNECT 10.0.0.1:80 HTTP", "CONNECT [::1]:80 H"}) {
    EXPECT_EQ(Sniff(line), SONDE_SNIFF_REQUEST) << line;
  }
}

TEST(SniffTest, Responses) {
  EXPECT_EQ(Sniff("HTTP/1.1 200 OK\r\n"), SONDE_SNIFF_RESPONSE);
  EXPECT_EQ(Sniff("HTTP/1.0 404\r\n"), SONDE_SNIFF_RESPONSE);
  EXPECT_EQ(Sniff("HTTP/1.1 100 Continue"), SONDE_SNIFF_INTERIM);
  EXPECT_EQ(Sniff("HTTP/1.1 103 "), SONDE_SNIFF_INTERIM);
  EXPECT_EQ(Sniff("HTTP/2 200"), SONDE_SNIFF_NONE);
  EXPECT_EQ(Sniff("HTTPS/1.1 200"), SONDE_SNIFF_NONE);
}

TEST(SniffTest, OtherBeginnings) {
  EXPECT_EQ(Sniff("PRI * HTTP/2.0\r\n\r\nSM"), SONDE_SNIFF_HTTP2);
  EXPECT_EQ(Sniff(std::string_view("\x16\x03\x01\x02\x00\x01\x00", 7)), SONDE_SNIFF_TLS);
  EXPECT_EQ(Sniff(std::string_view("\x16\x03\x03\x00\x7a\x02\x00", 7)), SONDE_SNIFF_TLS);
}

// Verbs of HTTP in other protocols, and other protocols altogether.
TEST(SniffTest, NotHttp) {
  const std::string_view texts[] = {
      "GET key\r\n",                  // Redis, inline
      "CONNECT {\"verbose\":false}",  // NATS
      "CONNECT\naccept-version:1.2",  // STOMP
      "CONNECT \r\n",
      "LIST 1\r\n",
      "QUIT\r\n",
      "HELO x\r\n",
      "EHLO [x]\r\n",
      "SEARCH UNSEEN\r\n",
      "COPY 2:4 x\r\n",
      "get / http",
      "GET/ HTTP/1.1",
      "GETX / HTTP/1.1",
      " GET / HTTP/1.1",
      "\r\nGET / HTTP",
      "*1\r\n$4\r\nPING\r\n",
      "SSH-2.0-OpenSSH_9",
      "{\"a\":1}",
      "AMQP",
      std::string_view("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8),  // PostgreSQL SSLRequest
      std::string_view("\x17\x03\x03\x00\x40\x01", 6),          // TLS application data
      std::string_view("\x16\x03\x03\x00\x40\x0b", 6),          // TLS certificate
      std::string_view("\x16\x02\x03\x00\x40\x01", 6),
  };
  for (const std::string_view text : texts) EXPECT_EQ(Sniff(text), SONDE_SNIFF_NONE) << text;
  EXPECT_EQ(Sniff(""), SONDE_SNIFF_NONE);
}

TEST(SniffTest, UnknownMethodsOnlyWhereHttpIsSpoken) {
  for (const std::string_view line :
       {"BREW /pot HTTP/1.1", "M-SEARCH * HTTP", "AVERYLONGMETHODNAME /"}) {
    EXPECT_EQ(Sniff(line), SONDE_SNIFF_NONE) << line;
    EXPECT_EQ(Sniff(line, true), SONDE_SNIFF_TOKEN) << line;
  }
  for (const std::string_view line : {"AB /", "BREw /pot", "1A2\r\nxxxx", "ABC\r\n"}) {
    EXPECT_EQ(Sniff(line, true), SONDE_SNIFF_NONE) << line;
  }
}

// A beginning in pieces: what is there so far must not be called "no". From 8 bytes on the kind is
// said, except that an interim response shows its class only in the tenth byte.
TEST(SniffTest, CutAtEveryByte) {
  std::vector<std::string> lines;
  for (const std::string_view method : kMethods)
    lines.push_back(std::string(method) + " /path HTTP/1.1");
  lines.insert(lines.end(),
               {"CONNECT a.b:443 HTTP/1.1", "HTTP/1.1 200 OK  ", "HTTP/1.1 100 Cont",
                "PRI * HTTP/2.0\r\n", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8)});
  for (const std::string& line : lines) {
    const uint32_t kind = Sniff(line);
    ASSERT_GE(kind, uint32_t{SONDE_SNIFF_REQUEST}) << line;
    for (size_t size = 1; size < line.size(); ++size) {
      const uint32_t cut = Sniff(std::string_view(line).substr(0, size));
      const bool interim = kind == SONDE_SNIFF_INTERIM && cut == SONDE_SNIFF_RESPONSE && size <= 9;
      const bool maybe = cut == SONDE_SNIFF_MAYBE && size < 8;
      EXPECT_TRUE(cut == kind || maybe || interim) << line << " cut at " << size << ": " << cut;
    }
  }
}

}  // namespace
}  // namespace sonde::wire_test
