// SPDX-License-Identifier: Apache-2.0
// Whole conversations through connection stage and HTTP/1 parser: framing of RFC 9112 6, timing,
// roles.
#include <gtest/gtest.h>

#include <string>

#include "protocol/registry.h"
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

TEST_F(Http1, KeepAlive) {
  for (int i = 0; i < 3; ++i) talk.Receive(kGet).Send(kOk);
  EXPECT_EQ(talk.Text(), "GET /a?x=1 200 out:5\nGET /a?x=1 200 out:5\nGET /a?x=1 200 out:5");
  EXPECT_EQ(talk.sink.starts.size(), 3U);
  EXPECT_EQ(talk.sink.responses.size(), 3U);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  const Exchange& first = talk.sink.exchanges[0];
  EXPECT_EQ(first.role, Role::kServer);
  EXPECT_EQ(first.request.first_mono_ns, 1'000'001'000U);
  EXPECT_EQ(first.response.last_mono_ns, 1'000'002'000U);
  EXPECT_EQ(first.request.first_position, 1000U);
  EXPECT_EQ(first.response.first_position, 5000U);
  EXPECT_EQ(first.request.wire_bytes, sizeof(kGet) - 1);
  EXPECT_EQ(first.response.wire_bytes, sizeof(kOk) - 1);
  EXPECT_EQ(first.tgid(), 100U);
  const auto& http = std::get<HttpExchange>(first.detail);
  EXPECT_EQ(http.response.headers[1].name, "x-y");
  EXPECT_EQ(http.response.headers[1].value, "z");
  EXPECT_EQ(http.request.version, "1.1");
}

}  // namespace
}  // namespace sonde::protocol
