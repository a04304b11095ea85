// SPDX-License-Identifier: Apache-2.0
// The walk over HTTP/2 frames: however calls cut them, headers and blocks are wanted and DATA is
// not; and what may be taken for a frame.
#include "sonde/wire/frame_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/wire/capture.h"
#include "unit/wire/wire_input.h"
#include "unit/wire/wire_socket.h"

namespace sonde::wire_test {
namespace {

std::string Frame(uint8_t type, uint32_t stream, size_t length, char fill) {
  std::string bytes;
  for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(length >> shift));
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(0);
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(stream >> shift));
  return bytes + std::string(length, fill);
}

// Which bytes of a call the walk wants, as bpf/socket/emit.bpf.h goes over it.
std::string Wanted(sonde_frame_walk& walk, std::string_view call) {
  std::string wanted;
  while (!call.empty()) {
    if (walk.until == 0) {
      sonde_frame_bytes bytes = {};
      const size_t have = std::min<size_t>(call.size(), SONDE_FRAME_HEADER);
      std::copy_n(call.begin(), have, bytes.bytes);
      const uint32_t used = sonde_frame_header(&walk, &bytes, static_cast<uint32_t>(have));
      wanted += call.substr(0, used);
      call.remove_prefix(used);
    }
    const auto pass = static_cast<uint32_t>(std::min<uint64_t>(walk.until, call.size()));
    wanted += call.substr(0, std::min(walk.copy, pass));
    sonde_frame_skip(&walk, pass);
    call.remove_prefix(pass);
  }
  return wanted;
}

TEST(FrameWalk, EveryCutWantsTheSame) {
  const std::string stream = Frame(4, 0, 12, 's') + Frame(1, 1, 40, 'h') + Frame(0, 1, 300, 'd') +
                             Frame(0, 1, 3, 'e') + Frame(8, 0, 4, 'w') + Frame(0, 1, 0, ' ') +
                             Frame(9, 1, 20, 'c');
  const std::string want = Frame(4, 0, 12, 's') + Frame(1, 1, 40, 'h') +
                           Frame(0, 1, 300, 'd').substr(0, 9 + SONDE_DATA_BYTES) +
                           Frame(0, 1, 3, 'e') + Frame(8, 0, 4, 'w') + Frame(0, 1, 0, ' ') +
                           Frame(9, 1, 20, 'c');
  for (size_t a = 0; a <= stream.size(); ++a) {
    for (size_t b = a; b <= stream.size(); b += 7) {
      sonde_frame_walk walk = {};
      sonde_frame_begin(&walk, 0, 0);
      std::string got = Wanted(walk, std::string_view(stream).substr(0, a));
      got += Wanted(walk, std::string_view(stream).substr(a, b - a));
      got += Wanted(walk, std::string_view(stream).substr(b));
      ASSERT_EQ(got, want) << a << " " << b;
      ASSERT_EQ(walk.state, SONDE_FRAMES_WALK);
      ASSERT_EQ(walk.until, 0U);
    }
  }
}

TEST(FrameWalk, UnseenBytesInsideAFrameKeepTheWalk) {
  sonde_frame_walk walk = {};
  sonde_frame_begin(&walk, 100, 10);
  sonde_frame_pass(&walk, 60);
  EXPECT_EQ(walk.until, 40U);
  EXPECT_EQ(walk.copy, 0U);
  EXPECT_EQ(walk.state, SONDE_FRAMES_WALK);
  sonde_frame_pass(&walk, 41);
  EXPECT_EQ(walk.state, SONDE_FRAMES_SEARCH);
}

TEST(FrameWalk, WhatIsNoFrameEndsIt) {
  sonde_frame_walk walk = {};
  sonde_frame_begin(&walk, 0, 0);
  Wanted(walk, "HTTP/1.1 ");
  EXPECT_EQ(walk.state, SONDE_FRAMES_SEARCH);
}

TEST(Http2Class, PrefaceAndFrames) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  Socket socket;
  const std::string first = preface + Frame(4, 0, 6, 's');
  EXPECT_EQ(socket.Call(0, first).captured, first.size());
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP2);
  EXPECT_EQ(socket.state().direction[0].frames.state, SONDE_FRAMES_WALK);
  EXPECT_EQ(socket.state().direction[1].frames.state, SONDE_FRAMES_SEARCH);
  socket.Call(1, Frame(4, 0, 6, 's'));
  EXPECT_EQ(socket.state().direction[1].frames.state, SONDE_FRAMES_WALK);
}

TEST(Http2Class, LateAttachAtFramesThatLeadToEachOther) {
  Socket chain;
  chain.Call(0, Frame(1, 5, 30, 'h') + Frame(0, 5, 900, 'd'));
  EXPECT_EQ(chain.state().socket_class, SONDE_CLASS_HTTP2);
  Socket exact;
  exact.Call(1, Frame(1, 5, 30, 'h'));
  EXPECT_EQ(exact.state().socket_class, SONDE_CLASS_HTTP2);
  for (const std::string& other :
       {std::string(40, '\0'), Frame(1, 5, 30, 'h') + "something else", Frame(7, 0, 4, 'g'),
        Frame(1, 0, 30, 'h'), std::string("\x00\x00\x05hello", 8)}) {
    Socket socket;
    socket.Call(0, other);
    EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_UNKNOWN);
  }
}

// A call that begins inside a frame header looks like a frame of its own: 3 bytes of length and
// type are there, 3 of the stream before them. Only what it leads to tells.
TEST(Http2Class, RestOfAHeaderIsNoHeader) {
  Socket socket;
  socket.Call(0, Frame(1, 5, 30, 'h'));
  ASSERT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP2);
  sonde_frame_walk& walk = socket.state().direction[0].frames;
  walk.state = SONDE_FRAMES_SEARCH;
  // DATA of 1362 bytes on stream 2715, behind the first six bytes of its header.
  const std::string message = std::string("\x00\x00\x00\x05\x4d", 5) + std::string(1357, 'x');
  const std::string rest = std::string("\x00\x0a\x9b", 3) + message;
  const std::string next = Frame(1, 2717, 40, 'h') + Frame(0, 2717, 700, 'd');
  EXPECT_EQ(socket.Call(0, rest + next).captured, rest.size() + next.size());
  EXPECT_EQ(walk.state, SONDE_FRAMES_SEARCH);
  socket.Call(0, rest.substr(0, 150));
  EXPECT_EQ(walk.state, SONDE_FRAMES_SEARCH);
  socket.Call(0, next);
  EXPECT_EQ(walk.state, SONDE_FRAMES_WALK);
}

// Upgrade: h2c. What was said of the connection when it was recognised is out of date.
TEST(Http2Class, UpgradeFromHttp1) {
  const std::string ask = "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n";
  const std::string agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
  Socket socket;
  socket.set_verdict(SONDE_VERDICT_HTTP1);
  socket.Call(0, ask);
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP1);
  EXPECT_EQ(socket.Call(1, agreed).captured, agreed.size());
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_UNKNOWN);
  socket.Call(1, Frame(4, 0, 6, 's') + Frame(1, 1, 50, 'h') + Frame(0, 1, 5000, 'd'));
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP2);
  EXPECT_EQ(socket.state().direction[1].frames.state, SONDE_FRAMES_WALK);
  socket.Call(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 6, 's'));
  EXPECT_EQ(socket.state().direction[0].frames.state, SONDE_FRAMES_WALK);

  Socket together;
  together.Call(0, ask);
  const std::string all =
      agreed + Frame(4, 0, 6, 's') + Frame(1, 1, 50, 'h') + Frame(0, 1, 9000, 'd');
  EXPECT_EQ(together.Call(1, all).captured, all.size());
  together.Call(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 6, 's'));
  EXPECT_EQ(together.state().socket_class, SONDE_CLASS_HTTP2);

  Socket stale;
  stale.Call(0, ask);
  stale.Call(1, agreed);
  stale.set_verdict(SONDE_VERDICT_HTTP1);
  stale.Call(0, std::string(SONDE_UNKNOWN_BUDGET, 'x'));
  stale.Call(0, "x");
  EXPECT_EQ(stale.state().socket_class, SONDE_CLASS_OTHER);
  stale.Call(1, Frame(4, 0, 6, 's'));
  EXPECT_EQ(stale.state().socket_class, SONDE_CLASS_HTTP2);
}

// Attached to a connection in the middle of DATA: quiet at first, found by the next small call, or
// because userspace recognised what it had been sent.
TEST(Http2Class, FoundAmongOtherProtocols) {
  const auto other = [] {
    Socket socket;
    socket.Call(0, std::string(SONDE_UNKNOWN_BUDGET, 'd'));
    socket.Call(0, "d");
    EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_OTHER);
    return socket;
  };
  Socket update = other();
  EXPECT_TRUE(update.Call(0, std::string(5000, 'd')).quiet);
  EXPECT_FALSE(update.Call(1, Frame(8, 0, 4, 'w')).quiet);
  EXPECT_EQ(update.state().socket_class, SONDE_CLASS_HTTP2);
  Socket request = other();
  EXPECT_FALSE(request.Call(1, Frame(1, 5, 60, 'h') + Frame(0, 5, 9000, 'd')).quiet);
  EXPECT_EQ(request.state().socket_class, SONDE_CLASS_HTTP2);
  Socket told = other();
  told.set_verdict(SONDE_VERDICT_HTTP2);
  int calls = 0;
  while (told.Call(0, std::string(5000, 'd')).quiet) ASSERT_LE(++calls, SONDE_ASK_EVERY);
  EXPECT_EQ(told.state().socket_class, SONDE_CLASS_HTTP2);
}

TEST(Http2Class, Verdict) {
  Socket socket;
  socket.set_verdict(SONDE_VERDICT_HTTP2);
  socket.Call(0, std::string(SONDE_UNKNOWN_BUDGET, 'x'));
  socket.Call(0, "y");
  EXPECT_EQ(socket.state().socket_class, SONDE_CLASS_HTTP2);
}

}  // namespace
}  // namespace sonde::wire_test
