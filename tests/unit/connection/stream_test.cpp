// SPDX-License-Identifier: Apache-2.0
#include "connection/stream.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "connection/buffer_account.h"
#include "connection/segment.h"
#include "sonde/base/metrics.h"

namespace sonde::connection {
namespace {

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    total_.limit = 10'000;
    total_.connection_limit = 1000;
    total_.dropped_connection = &dropped_connection_;
    total_.dropped_total = &dropped_total_;
    stream_.Begin(Stream::kBias + 100, true);
  }

  void Offer(std::string_view prefix, uint64_t hole = 0, std::string_view tail = {}) {
    stream_.Offer({.offset = stream_.end(),
                   .length = prefix.size() + hole + tail.size(),
                   .prefix = prefix,
                   .tail = tail,
                   .mark = {.mono_ns = ++clock_, .who = {}}});
  }

  BufferTotal total_;
  Counter dropped_connection_;
  Counter dropped_total_;
  BufferAccount account_{total_};
  Stream stream_{account_, false};
  uint64_t clock_ = 0;
};

TEST_F(StreamTest, ShowsARecordWithoutCopy) {
  const std::string bytes = "hello";
  Offer(bytes);
  EXPECT_EQ(stream_.bytes().data(), bytes.data());
  EXPECT_TRUE(stream_.at_record_start());
  stream_.Consume(2);
  EXPECT_EQ(stream_.bytes(), "llo");
  EXPECT_FALSE(stream_.at_record_start());
  EXPECT_EQ(stream_.record_left(), 3U);
  EXPECT_EQ(account_.used(), 0U);
  stream_.Consume(3);
  EXPECT_TRUE(stream_.empty());
  EXPECT_EQ(stream_.offset(), Stream::kBias + 105);
  EXPECT_EQ(stream_.last_mark().mono_ns, 1U);
}

TEST_F(StreamTest, KeepsWhatIsLeftAndJoinsIt) {
  Offer("one");
  stream_.Consume(1);
  stream_.Keep();
  Offer("two");
  stream_.Keep();
  EXPECT_EQ(stream_.bytes(), "netwo");
  EXPECT_EQ(stream_.MarkAt(1).mono_ns, 1U);
  EXPECT_EQ(stream_.MarkAt(2).mono_ns, 2U);
  EXPECT_EQ(stream_.record_left(), 2U);
  stream_.Consume(2);
  EXPECT_TRUE(stream_.at_record_start());
  stream_.Consume(3);
  EXPECT_EQ(account_.used(), 0U);
}

TEST_F(StreamTest, HoleBetweenPrefixAndTail) {
  for (const bool keep : {false, true}) {
    Offer("head", 10, "tail");
    if (keep) stream_.Keep();
    EXPECT_EQ(stream_.bytes(), "head");
    EXPECT_EQ(stream_.hole(), 10U);
    EXPECT_EQ(stream_.record_left(), 18U);
    stream_.Consume(3);
    EXPECT_EQ(stream_.bytes(), "d");
    EXPECT_EQ(stream_.hole(), 10U);
    stream_.Skip(5);
    EXPECT_EQ(stream_.bytes(), "");
    EXPECT_EQ(stream_.hole(), 6U);
    stream_.Skip(6);
    EXPECT_EQ(stream_.bytes(), "tail");
    EXPECT_EQ(stream_.hole(), 0U);
    stream_.Consume(4);
    EXPECT_TRUE(stream_.empty());
  }
}

TEST_F(StreamTest, TailThatTouchesItsPrefixIsOneRun) {
  Offer("head", 0, "tail");
  EXPECT_EQ(stream_.bytes(), "headtail");
}

TEST_F(StreamTest, SkipsWhatIsStillToCome) {
  Offer("ab");
  stream_.Skip(10);
  EXPECT_EQ(stream_.skipping(), 8U);
  Offer("", 5);
  EXPECT_TRUE(stream_.empty());
  EXPECT_EQ(stream_.skipping(), 3U);
  EXPECT_EQ(stream_.last_mark().mono_ns, 2U);
  Offer("xyzend");
  EXPECT_EQ(stream_.bytes(), "end");
  EXPECT_EQ(stream_.offset(), Stream::kBias + 110);
}

TEST_F(StreamTest, HolesInStoredBytes) {
  Offer("a");
  stream_.Keep();
  Offer("", 4);
  stream_.Keep();
  Offer("", 6);
  stream_.Keep();
  Offer("b");
  stream_.Keep();
  EXPECT_EQ(stream_.bytes(), "a");
  EXPECT_EQ(stream_.hole(), 10U);
  stream_.Skip(11);
  EXPECT_EQ(stream_.bytes(), "b");
}

TEST_F(StreamTest, LostBytesLeaveTheLastMarkAlone) {
  Offer("a");
  stream_.Consume(1);
  stream_.Offer(
      {.offset = stream_.end(), .length = 5, .prefix = {}, .tail = {}, .mark = {}, .lost = true});
  stream_.Skip(5);
  EXPECT_EQ(stream_.last_mark().mono_ns, 1U);
}

TEST_F(StreamTest, WhatDoesNotFitBecomesACountedHole) {
  const std::string first(600, 'a');
  Offer(first);
  stream_.Keep();
  const std::string more(600, 'b');
  Offer(more);
  stream_.Keep();
  Offer("c");
  stream_.Keep();
  EXPECT_EQ(stream_.bytes().size(), 600U);
  EXPECT_EQ(stream_.hole(), 600U);
  EXPECT_EQ(dropped_connection_.value(), 1U);
  EXPECT_LE(account_.used(), 1000U);
  stream_.Skip(1200);
  EXPECT_EQ(stream_.bytes(), "c");
  stream_.Consume(1);
  EXPECT_EQ(account_.used(), 0U);
}

TEST_F(StreamTest, OneByteRecordsAreChargedForTheirBookkeeping) {
  for (int i = 0; i < 1000; ++i) {
    Offer("x");
    stream_.Keep();
  }
  EXPECT_LE(account_.used(), 1000U);
  EXPECT_LT(stream_.bytes().size(), 20U);
  EXPECT_EQ(stream_.bytes().size() + stream_.hole(), 1000U);
}

TEST_F(StreamTest, ManySmallRecordsShareTheirBookkeeping) {
  total_.connection_limit = total_.limit = 100'000;
  constexpr size_t kBytes = 50'000;
  for (size_t i = 0; i < kBytes; ++i) {
    Offer(i % 2 == 0 ? "a" : "b");
    stream_.Keep();
  }
  ASSERT_EQ(stream_.bytes().size(), kBytes);
  EXPECT_LT(account_.used(), 2 * kBytes);
  // The first and the last byte keep their own times; one in between has that of a byte close
  // behind it.
  EXPECT_EQ(stream_.MarkAt(0).mono_ns, 1U);
  EXPECT_EQ(stream_.MarkAt(kBytes - 1).mono_ns, kBytes);
  for (size_t i = 0; i < kBytes; i += 99) {
    EXPECT_GE(stream_.MarkAt(i).mono_ns, i + 1);
    EXPECT_LE(stream_.MarkAt(i).mono_ns, i + 256);
    ASSERT_EQ(stream_.bytes()[i], i % 2 == 0 ? 'a' : 'b');
  }
  Offer("", 7);
  stream_.Keep();
  Offer("c");
  stream_.Keep();
  stream_.Consume(kBytes - 3);
  EXPECT_EQ(stream_.bytes(), "bab");
  EXPECT_EQ(stream_.hole(), 7U);
  stream_.Skip(10);
  EXPECT_EQ(stream_.bytes(), "c");
  stream_.Consume(1);
  EXPECT_EQ(account_.used(), 0U);
}

TEST_F(StreamTest, ManySmallRecordsOfTwoThreads) {
  total_.connection_limit = total_.limit = 100'000;
  for (uint32_t i = 0; i < 1000; ++i) {
    stream_.Offer({.offset = stream_.end(),
                   .length = 1,
                   .prefix = "x",
                   .tail = {},
                   .mark = {.mono_ns = ++clock_, .who = {.tgid = 1, .tid = i / 10, .id = 0}}});
    stream_.Keep();
  }
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(stream_.MarkAt(i).who.tid, i / 10);
}

TEST_F(StreamTest, TotalLimitIsCountedApart) {
  total_.limit = 100;
  const std::string bytes(200, 'a');
  Offer(bytes);
  stream_.Keep();
  EXPECT_EQ(dropped_total_.value(), 1U);
  EXPECT_EQ(stream_.hole(), 200U);
}

TEST_F(StreamTest, UnwrapsSequenceNumbersAroundTheEnd) {
  Stream stream(account_, false);
  EXPECT_EQ(stream.Unwrap(7), Stream::kBias + 7);
  stream.Begin(stream.Unwrap(0xfffffff0U), true);
  EXPECT_EQ(stream.Unwrap(0x10) - stream.end(), 0x20U);
  EXPECT_EQ(stream.end() - stream.Unwrap(0xffffff00U), 0xf0U);
  EXPECT_EQ(stream.RawPosition(stream.Unwrap(0x10)), 0x10U);
}

TEST(Segment, TrimFrontTakesPrefixThenHoleThenTail) {
  const Segment whole{.offset = 50, .length = 20, .prefix = "abcd", .tail = "xyz", .mark = {}};
  for (uint64_t n = 0; n <= 20; ++n) {
    Segment segment = whole;
    segment.TrimFront(n);
    EXPECT_EQ(segment.offset, 50 + n);
    EXPECT_EQ(segment.end(), 70U);
    EXPECT_EQ(segment.prefix, n < 4 ? whole.prefix.substr(n) : "") << n;
    EXPECT_EQ(segment.tail, n > 17 ? whole.tail.substr(n - 17) : "xyz") << n;
    EXPECT_EQ(segment.hole(), 20 - n - segment.prefix.size() - segment.tail.size());
    EXPECT_EQ(segment.record_start, n == 0);
  }
}

}  // namespace
}  // namespace sonde::connection
