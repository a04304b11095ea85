// SPDX-License-Identifier: Apache-2.0
// The capture policy, driven as the kernel programs drive it.
#include "sonde/wire/capture.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/abi/control.h"
#include "sonde/abi/record.h"
#include "sonde/wire/capture_limits.h"
#include "unit/wire/wire_socket.h"

namespace sonde::wire_test {
namespace {

constexpr uint32_t kIn = SONDE_RECEIVE;
constexpr uint32_t kOut = SONDE_SEND;

std::string Head(size_t size, std::string_view line = "GET /path HTTP/1.1\r\n") {
  std::string head(line);
  while (head.size() + 4 < size)
    head += "A: " + std::string(std::min<size_t>(90, size - head.size() - 4), 'v') + "\r\n";
  return head + "\r\n";
}

bool Whole(const Taken& taken, size_t length) { return !taken.quiet && taken.captured == length; }

TEST(CaptureTest, SmallMessagesAreWhole) {
  Socket socket;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Whole(socket.Call(kIn, Head(200)), Head(200).size()));
    const std::string response =
        "HTTP/1.1 200 OK\r\nContent-Length: 800\r\n\r\n" + std::string(800, 'b');
    EXPECT_TRUE(Whole(socket.Call(kOut, response), response.size()));
  }
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP1);
}

// The head in two records, cut everywhere, small and large, first on the connection and later: no
// byte of it is missing.
TEST(CaptureTest, HeadCutAtEveryByte) {
  for (const size_t size : {60, 900, 1500, 5000, 9000}) {
    const std::string head = Head(size);
    const std::string message = head + std::string(3000, 'b');
    for (size_t cut = 1; cut < head.size(); cut += size > 2000 ? 17 : 1) {
      Socket socket;
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(socket.Call(kIn, message.substr(0, cut)).captured, cut)
            << size << " cut at " << cut;
        EXPECT_GE(socket.Call(kIn, message.substr(cut)).captured, head.size() - cut)
            << size << " cut at " << cut;
        socket.Call(kOut, "HTTP/1.1 204 No Content\r\n\r\n");
      }
    }
  }
}

TEST(CaptureTest, HeadByteByByte) {
  Socket socket;
  const std::string head = Head(3000);
  for (const char byte : head) EXPECT_TRUE(Whole(socket.Call(kOut, std::string(1, byte)), 1));
  // The head's end was seen in the pieces: what follows is body.
  EXPECT_LT(socket.Call(kOut, std::string(5000, 'b')).captured, 200U);
}

TEST(CaptureTest, BodyCostsItsEnds) {
  Socket socket;
  const std::string head = Head(300, "POST / HTTP/1.1\r\n");
  const Taken first = socket.Call(kIn, head + std::string(50000, 'b'));
  EXPECT_EQ(first.captured, head.size() + SONDE_AFTER_HEAD);
  EXPECT_EQ(first.tail, static_cast<uint32_t>(SONDE_BODY_TAIL));
  for (int i = 0; i < 10; ++i) {
    const Taken body = socket.Call(kIn, std::string(50000, 'b'));
    EXPECT_EQ(body.captured, static_cast<uint32_t>(SONDE_BODY_PREFIX));
    EXPECT_EQ(body.tail, static_cast<uint32_t>(SONDE_BODY_TAIL));
  }
  EXPECT_TRUE(Whole(socket.Call(kIn, std::string(1000, 'b')),
                    1000));  // the end of a chunked body may be in it
}

// A tail that would touch the prefix is part of it.
TEST(CaptureTest, PrefixAndTailNeverOverlap) {
  for (size_t size = SONDE_SMALL_RECORD + 1; size < SONDE_SMALL_RECORD + 400; ++size) {
    Socket socket;
    const std::string head = Head(SONDE_SMALL_RECORD - 100);
    const Taken taken = socket.Call(kIn, head + std::string(size - head.size(), 'b'));
    ASSERT_LE(taken.captured + taken.tail, size);
    if (taken.tail == 0) {
      EXPECT_EQ(taken.captured, size);
    }
  }
}

TEST(CaptureTest, HeadThatNeverEndsIsBounded) {
  Socket socket;
  size_t captured = socket.Call(kIn, "GET / HTTP/1.1\r\n").captured;
  for (int i = 0; i < 100; ++i) captured += socket.Call(kIn, std::string(4000, 'h')).captured;
  EXPECT_GE(captured, static_cast<size_t>(SONDE_HEAD_BUDGET));
  EXPECT_LE(captured, SONDE_HEAD_BUDGET + 100U * (SONDE_BODY_PREFIX + SONDE_BODY_TAIL));
}

TEST(CaptureTest, OtherProtocolGoesQuietWithinItsBudget) {
  Socket socket;
  size_t captured = 0;
  for (int i = 0; i < 100; ++i) captured += socket.Call(kOut, std::string(90, '\x01')).captured;
  EXPECT_EQ(captured, static_cast<size_t>(SONDE_UNKNOWN_BUDGET));
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_OTHER);
  EXPECT_TRUE(socket.Call(kOut, std::string(100000, '\x01')).quiet);
  // It turns out to be HTTP after all, in either direction and also in pieces.
  EXPECT_TRUE(socket.Call(kIn, "GE").quiet);
  EXPECT_FALSE(socket.Call(kIn, "T / HTTP/1.1\r\n\r\n").quiet);
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP1);
}

TEST(CaptureTest, TlsIsLeftAlone) {
  Socket tls;
  EXPECT_TRUE(
      tls.Call(kIn, std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(500, 'x')).quiet);
  EXPECT_TRUE(tls.Call(kOut, Head(100)).quiet);
}

TEST(CaptureTest, VerdictIsAskedForAtTheEndOfTheBudget) {
  Socket recognised;
  recognised.set_verdict(SONDE_VERDICT_HTTP1);
  recognised.Call(kIn, std::string(SONDE_UNKNOWN_BUDGET, 'x'));
  EXPECT_FALSE(recognised.asked());
  EXPECT_TRUE(Whole(recognised.Call(kIn, std::string(900, 'x')), 900));
  EXPECT_TRUE(recognised.asked());

  Socket refused;
  refused.set_verdict(SONDE_VERDICT_REFUSED);
  refused.Call(kIn, std::string(SONDE_UNKNOWN_BUDGET, 'x'));
  EXPECT_TRUE(refused.Call(kIn, "x").quiet);
  EXPECT_TRUE(refused.Call(kIn, Head(100)).quiet);
}

// WebSocket behind an upgrade: records without a message start, until userspace says that it is
// enough.
TEST(CaptureTest, AsksAgainAboutALongSilenceOfHttp) {
  Socket socket;
  socket.set_verdict(SONDE_VERDICT_REFUSED);
  socket.Call(kIn, Head(100));
  socket.Call(kOut, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
  int records = 0;
  while (!socket.Call(kIn, "\x81\x05hello").quiet) ASSERT_LT(++records, SONDE_UNKNOWN_BUDGET);
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_REFUSED);
}

TEST(CaptureTest, TlsBehindAProxyIsTls) {
  const std::string hello = std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(500, 'x');
  Socket socket;
  socket.Call(kOut, "CONNECT shop:443 HTTP/1.1\r\n\r\n");
  socket.Call(kIn, "HTTP/1.1 200 Connection established\r\n\r\n");
  EXPECT_TRUE(socket.Call(kOut, hello).quiet);
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_TLS);

  Socket body;  // of a request that only looks like it
  body.Call(kOut, "CONNECT shop:443 HTTP/1.1\r\n\r\n");
  body.Call(kIn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  body.Call(kOut, "PUT /certificate HTTP/1.1\r\nContent-Length: 506\r\n\r\n");
  EXPECT_FALSE(body.Call(kOut, hello).quiet);
  EXPECT_EQ(body.state().socket_class, SONDE_CLASS_HTTP1);
}

TEST(CaptureTest, InterimResponseIsNoMessageOfItsOwn) {
  Socket socket;
  socket.Call(kIn, Head(100, "PUT / HTTP/1.1\r\nExpect: 100-continue\r\n"));
  socket.Call(kOut, "HTTP/1.1 100 Continue\r\n\r\n");
  socket.Call(kOut, "HTTP/1.1 103 Early Hints\r\n\r\n");
  socket.Call(kOut, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(socket.state().flags & SONDE_CAPTURE_PIPELINED, 0);
}

// The last byte of a body may be the first letter of a method.
TEST(CaptureTest, BodyByteIsNoStart) {
  Socket socket;
  const std::string response = "HTTP/1.1 204 No Content\r\n\r\n";
  socket.Call(kIn, "PUT / HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
  socket.Call(kIn, "D");
  socket.Call(kOut, response);
  socket.Call(kIn, "DELETE / HTTP/1.1\r\n\r\n");
  socket.Call(kOut, response);
  EXPECT_EQ(socket.state().flags & SONDE_CAPTURE_PIPELINED, 0);
}

// Requests one behind the other: from then on large records are copied, because a head may be
// anywhere.
TEST(CaptureTest, PipeliningIsNoticed) {
  Socket together;
  std::string many;
  for (int i = 0; i < 30; ++i) many += Head(100);
  together.Call(kIn, many);
  EXPECT_TRUE(Whole(together.Call(kIn, many), many.size()));

  Socket behind;
  behind.Call(kIn, Head(100));
  behind.Call(kIn, Head(100));
  EXPECT_TRUE(Whole(behind.Call(kIn, many), many.size()));
}

// In a record that ends as a single request does: seen on the first ones, and now and then.
TEST(CaptureTest, PipeliningInASmallRecordIsNoticed) {
  const std::string two = Head(60) + Head(60);
  const std::string large =
      "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'b');
  Socket at_once;
  at_once.Call(kIn, two);
  EXPECT_TRUE(Whole(at_once.Call(kOut, large + large), 2 * large.size()));

  Socket later;
  for (int i = 0; i < 100; ++i) {
    later.Call(kIn, Head(60));
    EXPECT_FALSE(Whole(later.Call(kOut, large), large.size()));
  }
  for (int i = 0; i < SONDE_LOOK_EVERY; ++i) later.Call(kIn, two);
  EXPECT_TRUE(Whole(later.Call(kOut, large + large), 2 * large.size()));
}

TEST(CaptureTest, AttachedInTheMiddleOfABody) {
  Socket socket;
  for (int i = 0; i < 5; ++i) socket.Call(kIn, std::string(20000, 'b'));
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_OTHER);
  const std::string response = "HTTP/1.1 200 OK\r\n\r\n";
  EXPECT_TRUE(Whole(socket.Call(kOut, response), response.size()));
  const std::string head = Head(2000);
  EXPECT_GE(socket.Call(kIn, head + std::string(9000, 'b')).captured, head.size());
}

TEST(CaptureTest, UnseenBytes) {
  sonde_capture_state state = {};
  sonde_capture_init(&state);
  EXPECT_EQ(sonde_capture_unseen(&state, kIn, 300), 1U);
  EXPECT_EQ(state.direction[kIn].budget, SONDE_UNKNOWN_BUDGET - 300U);
  EXPECT_EQ(sonde_capture_unseen(&state, kIn, 1U << 30), 1U);
  EXPECT_EQ(state.direction[kIn].budget, 0U);
  EXPECT_EQ(state.direction[kOut].budget, static_cast<uint32_t>(SONDE_UNKNOWN_BUDGET));
  state.socket_class = SONDE_CLASS_OTHER;
  EXPECT_EQ(sonde_capture_unseen(&state, kIn, 300), 0U);
}

// A start that was begun, then bytes that nobody saw: the pieces do not belong together.
TEST(CaptureTest, UnseenBytesBreakAStartInPieces) {
  Socket socket;
  socket.Call(kIn, "GE");
  sonde_capture_unseen(&socket.state(), kIn, 10);
  socket.Call(kIn, "T / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_UNKNOWN);
}

// The end of a head in the last bytes of a record, the rest of the body in the next: every kind of
// line end.
TEST(CaptureTest, EndOfHeadAcrossRecords) {
  for (const std::string_view end : {"\r\n\r\n", "\n\n", "\r\n\n", "\n\r\n"}) {
    for (size_t keep = 0; keep <= end.size(); ++keep) {
      Socket socket;
      const std::string head = "GET / HTTP/1.1\r\nA: b" + std::string(end);
      socket.Call(kIn, head.substr(0, head.size() - keep));
      if (keep > 0) socket.Call(kIn, head.substr(head.size() - keep));
      EXPECT_EQ(socket.state().direction[kIn].head_open, 0) << keep;
    }
  }
}

}  // namespace
}  // namespace sonde::wire_test
