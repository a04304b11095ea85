// SPDX-License-Identifier: Apache-2.0
// Hostile HTTP/2: however many connections, streams and tables there are, memory stays within the
// limits, and what is told stays true.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/http2/types.h"
#include "protocol/registry.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/allocated_bytes.h"
#include "support/conversation.h"
#include "support/http2_frames.h"

namespace sonde::protocol {
namespace {

using http2::FrameType;
using testing::AllocatedBytes;
using testing::Conversation;
using testing::Fields;
using testing::Http2Writer;
using testing::MakeFrame;
using testing::Number;

constexpr size_t kTotal = 1U << 20;
constexpr uint64_t kSecond = 1'000'000'000;
const std::string kOpening = std::string(http2::kPreface) + Http2Writer::Settings();

Conversation::Options SmallTotal() {
  Conversation::Options options;
  options.limits.total_connection_bytes = kTotal;
  return options;
}

// Literal with indexing: a name of one byte, a value of `size`.
std::string Literal(char name, size_t size) {
  std::string field = std::string("\x40\x01", 2) + name;
  field.push_back('\x7f');
  size -= 127;
  for (; size >= 128; size /= 128) field.push_back(static_cast<char>(0x80U | (size % 128)));
  field.push_back(static_cast<char>(size));
  return field;
}
std::string Insertion(char name, size_t size) {
  return Literal(name, size) + std::string(size, 'v');
}

TEST(Http2Limits, HeaderTablesOfAllConnections) {
  const size_t before = AllocatedBytes();
  Conversation talk(RegisteredProtocols(), SmallTotal());
  const std::string get("\x82\x86\x84", 3);
  constexpr ConnectionId kConnections = 400;  // of 40 KiB each: 16 times what there is room for
  for (ConnectionId id = 1; id <= kConnections; ++id) {
    talk.On(id).Open().Receive(kOpening);
    std::string block = get;
    for (char name = 'a'; name < 'k'; ++name) block += Insertion(name, 4000);
    talk.Receive(MakeFrame(FrameType::kHeaders, 5, 1, block));
    talk.Send(Http2Writer::Settings() + MakeFrame(FrameType::kHeaders, 5, 1, "\x88"));
  }
  EXPECT_EQ(talk.sink.exchanges.size(), kConnections);
  EXPECT_LE(talk.table().parser_bytes(), kTotal);
  EXPECT_GT(talk.Metric("sonde_events_dropped_total", "parser_memory"), 100);
  talk.sink.exchanges = {};
  EXPECT_LT(AllocatedBytes() - before, 4 * kTotal);

  // A table that was forgotten names nothing wrongly, and learns again when there is room.
  for (ConnectionId id = 1; id < kConnections; ++id) talk.On(id).Close();
  talk.On(kConnections).Receive(MakeFrame(FrameType::kHeaders, 5, 3, get + "\xbe"));
  talk.Send(MakeFrame(FrameType::kHeaders, 5, 3, "\x88"));
  talk.Receive(MakeFrame(FrameType::kHeaders, 5, 5, get + Insertion('n', 200)));
  talk.Send(MakeFrame(FrameType::kHeaders, 5, 5, "\x88"));
  talk.Receive(MakeFrame(FrameType::kHeaders, 5, 7, get + "\xbe"));
  talk.Send(MakeFrame(FrameType::kHeaders, 5, 7, "\x88"));
  ASSERT_EQ(talk.sink.exchanges.size(), 3U);
  EXPECT_EQ(talk.sink.exchanges[0].truncated, kTruncatedRequestHead);
  EXPECT_TRUE(talk.sink.exchanges[0].http()->request.headers.empty());
  EXPECT_EQ(talk.sink.exchanges[2].truncated, kTruncatedNothing);
  ASSERT_EQ(talk.sink.exchanges[2].http()->request.headers.size(), 1U);
  EXPECT_EQ(talk.sink.exchanges[2].http()->request.headers[0].name, "n");
  talk.Close();
  EXPECT_EQ(talk.table().parser_bytes(), 0U);
}

TEST(Http2Limits, StreamsOfAllConnections) {
  const size_t before = AllocatedBytes();
  Conversation talk(RegisteredProtocols(), SmallTotal());
  for (ConnectionId id = 1; id <= 100; ++id) {
    talk.On(id).Open().Receive(kOpening);
    std::string frames;
    for (uint32_t stream = 1; stream < 20'000; stream += 2) {
      frames += MakeFrame(FrameType::kHeaders, 5, stream, std::string("\x82\x86\x84", 3));
    }
    talk.Receive(frames);
  }
  EXPECT_LE(talk.table().parser_bytes(), kTotal);
  EXPECT_LT(talk.sink.starts.size(), 5000U);
  EXPECT_EQ(talk.Metric("sonde_events_dropped_total", "parser_memory"),
            1'000'000.0 - static_cast<double>(talk.sink.starts.size()));
  talk.sink.starts = {};
  EXPECT_LT(AllocatedBytes() - before, 8 * kTotal);
  talk.Stop();
  EXPECT_EQ(talk.table().parser_bytes(), 0U);
}

TEST(Http2Limits, HeaderBlocksThatNeverEnd) {
  Conversation talk(RegisteredProtocols(), SmallTotal());
  const std::string more = MakeFrame(FrameType::kContinuation, 0, 1, std::string(16000, '\x82'));
  for (ConnectionId id = 1; id <= 200; ++id) {
    talk.On(id).Open().Receive(kOpening);
    talk.Receive(MakeFrame(FrameType::kHeaders, 0, 1, "\x82"));
    for (int i = 0; i < 6; ++i) talk.Receive(more);
  }
  EXPECT_LE(talk.table().parser_bytes() + talk.table().buffered_bytes(), 2 * kTotal);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  talk.Stop();
  EXPECT_EQ(talk.table().parser_bytes(), 0U);
}

// 2^24 - 1 bytes of length: HEADERS keep what the limit of a head allows, DATA nothing.
TEST(Http2Limits, FramesOf16MiB) {
  Conversation talk(RegisteredProtocols());
  Http2Writer in;
  Http2Writer out;
  constexpr uint32_t kLength = (1U << 24) - 1;
  const std::string piece(1U << 16, '\x82');
  const auto giant = [&](FrameType type, uint32_t flags, uint32_t stream) {
    std::string header = MakeFrame(type, flags, stream, "");
    header.replace(0, 3, Number(kLength, 3));
    talk.Receive(header);
    for (size_t left = kLength; left > 0; left -= std::min(left, piece.size())) {
      talk.Receive(piece.substr(0, left));
      ASSERT_LE(talk.table().buffered_bytes(), 300'000U);
    }
  };
  talk.Receive(kOpening);
  giant(FrameType::kHeaders, 4, 1);
  talk.Receive(in.Headers(3, {{":method", "PUT"}, {":path", "/big"}, {":scheme", "http"}}, false));
  giant(FrameType::kData, 1, 3);
  talk.Send(out.Headers(3, {{":status", "204"}}, true));
  talk.Close();
  EXPECT_EQ(talk.table().parser_bytes(), 0U);
  EXPECT_EQ(talk.Text(), "PUT /big 204 in:16777215\nGET  - closed truncated:1");
}

// SETTINGS_HEADER_TABLE_SIZE and the encoder's own update may say 4 GiB.
TEST(Http2Limits, TableOf4GiB) {
  const size_t before = AllocatedBytes();
  Conversation talk(RegisteredProtocols());
  talk.Receive(kOpening);
  talk.Send(MakeFrame(FrameType::kSettings, 0, 0, Number(1, 2) + Number(UINT32_MAX, 4)));
  std::string update("\x3f\xe0\xff\xff\xff\x0f", 6);  // 2^32 - 1
  for (uint32_t stream = 1; stream < 2000; stream += 2) {
    const std::string block = update + std::string("\x82\x86\x84", 3) + Insertion('x', 10'000);
    talk.Receive(MakeFrame(FrameType::kHeaders, 5, stream, block));
    talk.Send(MakeFrame(FrameType::kHeaders, 5, stream, "\x88"));
    update.clear();
  }
  EXPECT_EQ(talk.sink.exchanges.size(), 1000U);
  EXPECT_LT(talk.table().parser_bytes(), 128U << 10);
  talk.sink.exchanges = {};
  EXPECT_LT(AllocatedBytes() - before, 2U << 20);
}

// The end of a response was lost: its stream is given up after a minute, others may be silent.
TEST(Http2Limits, StreamsWhoseEndWasLost) {
  Conversation talk(RegisteredProtocols());
  Http2Writer in;
  Http2Writer out;
  const auto get = [&](uint32_t id) {
    return in.Headers(id, {{":method", "GET"}, {":path", "/" + std::to_string(id)}}, true);
  };
  talk.Receive(kOpening).Send(Http2Writer::Settings());
  talk.Receive(get(1)).Send(out.Headers(1, {{":status", "200"}}, false));
  talk.Lose(Direction::kSend, 100).Wait(kSecond);
  talk.Receive(get(3)).Send(out.Headers(3, {{":status", "204"}}, true) + Http2Writer::Settings() +
                            Http2Writer::Settings());
  talk.Wait(kSecond).Wait(kSecond);
  talk.Receive(get(5)).Send(out.Headers(5, {{":status", "200"}}, false));
  for (int i = 0; i < 55; ++i) talk.Wait(kSecond);
  EXPECT_EQ(talk.Text(), "GET /3 204 truncated:8");
  for (int i = 0; i < 10; ++i) talk.Wait(kSecond);
  EXPECT_EQ(talk.Text(), "GET /3 204 truncated:8\nGET /1 200 timeout truncated:8");
  talk.Send(Http2Writer::Data(5, "x", true));
  EXPECT_EQ(talk.sink.exchanges.size(), 3U);
}

}  // namespace
}  // namespace sonde::protocol
