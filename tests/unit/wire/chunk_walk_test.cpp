// SPDX-License-Identifier: Apache-2.0
#include "sonde/wire/chunk_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/wire/capture_limits.h"

namespace sonde::wire_test {
namespace {

// Bytes that were looked at, of a body that comes in records cut at `cuts`; looks as
// sonde_chunk_line wants it.
class Walker {
 public:
  Walker() { sonde_chunk_begin(&walk_, 0); }

  void Record(std::string_view record) {
    size_t at = 0;
    while (walk_.state != SONDE_CHUNK_OFF) {
      if (walk_.until >= record.size() - at) {
        walk_.until -= record.size() - at;
        return;
      }
      at += walk_.until;
      sonde_chunk_bytes line;
      std::memset(line.bytes, '9', sizeof(line.bytes));  // behind the record: more digits
      const size_t count = std::min<size_t>(record.size() - at, SONDE_CHUNK_LINE);
      std::memcpy(line.bytes, record.data() + at, count);
      const uint32_t used = sonde_chunk_line(&walk_, &line, static_cast<uint32_t>(count));
      ASSERT_LE(used, count);
      looked_.append(record.substr(at, used));
      at += used;
    }
  }
  const std::string& looked() const { return looked_; }
  bool off() const { return walk_.state == SONDE_CHUNK_OFF; }

 private:
  sonde_chunk_walk walk_ = {};
  std::string looked_;
};

std::string Chunk(const std::string& line, size_t size) {
  return line + std::string(size, 'f') + "\r\n";
}

// The lines are found whatever the records; 'f' in the data would be a digit.
TEST(ChunkWalkTest, CutAtEveryTwoBytes) {
  const std::string body = Chunk("5\r\n", 5) + Chunk("1A;name=\"va\"\r\n", 26) +
                           Chunk("00c \t\r\n", 12) + Chunk("2\n", 2) + "0\r\n\r\nHTTP/1.1 200 OK";
  const std::string lines = "5\r\n\r\n1A;name=\"va\"\r\n\r\n00c \t\r\n\r\n2\n\r\n0\r\n";
  for (size_t i = 0; i <= body.size(); ++i) {
    for (size_t j = i; j <= body.size(); ++j) {
      Walker walker;
      walker.Record(body.substr(0, i));
      walker.Record(body.substr(i, j - i));
      walker.Record(body.substr(j));
      ASSERT_EQ(walker.looked(), lines) << i << ", " << j;
      ASSERT_TRUE(walker.off());
    }
  }
}

TEST(ChunkWalkTest, WhatIsNoSizeLineEndsTheWalk) {
  for (const std::string_view body :
       {"<html>", "{\"a\":1}", "xyz\r\n", "5x\r\n", "123456789\r\n", ";a\r\n", " 5\r\n"}) {
    Walker walker;
    walker.Record(body);
    EXPECT_TRUE(walker.off()) << body;
    EXPECT_LT(walker.looked().size(), 10U) << body;
  }
}

TEST(ChunkWalkTest, LargestSize) {
  Walker walker;
  walker.Record("FFFFFFFF\r\n");
  EXPECT_FALSE(walker.off());
  walker.Record(std::string(100000, 'x'));
  EXPECT_EQ(walker.looked(), "FFFFFFFF\r\n");
}

TEST(ChunkWalkTest, LongExtension) {
  Walker walker;
  const std::string line = "3;" + std::string(10 * SONDE_CHUNK_LINE, 'e') + "\r\n";
  walker.Record(Chunk(line, 3) + "0\r\n\r\n");
  EXPECT_EQ(walker.looked(), line + "\r\n0\r\n");
}

TEST(ChunkWalkTest, BytesThatWentBy) {
  sonde_chunk_walk walk = {};
  sonde_chunk_begin(&walk, 1000);
  sonde_chunk_pass(&walk, 400);
  EXPECT_EQ(walk.until, 600U);
  sonde_chunk_pass(&walk, 600);
  EXPECT_EQ(walk.state, SONDE_CHUNK_START);
  // A line was among them: nobody knows where the next is.
  sonde_chunk_pass(&walk, 1);
  EXPECT_EQ(walk.state, SONDE_CHUNK_OFF);
}

}  // namespace
}  // namespace sonde::wire_test
