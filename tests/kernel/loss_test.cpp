// SPDX-License-Identifier: Apache-2.0
// A ring that is too small: records are lost and counted, one by one, and what comes through is
// whole and right.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

class LossTest : public FamilyTest {
 protected:
  static constexpr size_t kCalls = 500;
  static std::string Numbered(size_t i) { return Request("full" + std::to_string(1000 + i), 200); }

  void SetUp() override {
    FamilyTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    own_ = OwnLab({.ports = {}, .probes = {}, .no_probes = {}, .ring_bytes = 4096});
    ASSERT_NE(own_, nullptr);
    for (size_t i = 0; i < kCalls; ++i) stream_ += Numbered(i);
  }

  std::unique_ptr<Lab> own_;
  std::string stream_;
};

TEST_P(LossTest, FullRingIsCountedAndGivesNoGarbage) {
  const Pair pair = Connect(Kind::kTcp4);
  Lab::Child child(*own_, [&] {
    for (size_t i = 0; i < kCalls; ++i) Must(SendAll(pair.near.get(), Numbered(i)));
  });
  child.Release();
  EXPECT_EQ(ReceiveExactly(pair.far.get(), stream_.size()), stream_);
  EXPECT_EQ(child.Wait(), 0);
  Log log;
  own_->Drain(log);
  ASSERT_GT(log.data.size(), 5U);
  EXPECT_LT(log.data.size(), 20U);
  // Every call made one record, and OPEN and EXIT one each.
  EXPECT_EQ(own_->Dropped("ring_full") +
                static_cast<double>(log.data.size() + log.opens.size() + log.processes.size()),
            kCalls + 2);
  EXPECT_EQ(own_->Dropped("invalid_record"), 0);
  EXPECT_EQ(own_->Dropped("unknown_record"), 0);
  for (size_t i = 0; i < log.data.size(); ++i) EXPECT_EQ(log.data[i].prefix, Numbered(i));
}

// Room again: it goes on, the positions show how much is missing.
TEST_P(LossTest, GoesOnWhenThereIsRoom) {
  const Pair pair = Connect(Kind::kTcp4);
  const Pair pause = Connect(Kind::kUnixPair);
  Log log;
  Lab::Child child(*own_, [&] {
    for (size_t i = 0; i < kCalls; ++i) {
      if (i == kCalls / 2) {
        // Says where it is by ending its half, then waits. Both calls are records too.
        Must(SendAll(pause.near.get(), "half"));
        Must(ReceiveExactly(pause.near.get(), 2) == "on");
      }
      Must(SendAll(pair.near.get(), Numbered(i)));
    }
  });
  child.Release();
  ASSERT_EQ(ReceiveExactly(pause.far.get(), 4), "half");
  own_->Drain(log);
  ASSERT_TRUE(SendAll(pause.far.get(), "on"));
  EXPECT_EQ(child.Wait(), 0);
  own_->Drain(log);
  const ConnectionId id = own_->Id(pair.near.get());
  const auto records = log.Of(id, Direction::kSend);
  EXPECT_EQ(log.Opens(id), 1U);
  ASSERT_FALSE(records.empty());
  size_t second_half = 0;
  for (const Data& record : records) {
    const auto at = static_cast<uint32_t>(record.event.position - log.opens[0].begin[1]);
    ASSERT_EQ(at % 200, 0U);
    EXPECT_EQ(record.prefix, Numbered(at / 200));
    second_half += at / 200 >= kCalls / 2 ? 1 : 0;
  }
  EXPECT_GT(second_half, 0U);
  EXPECT_EQ(own_->Dropped("invalid_record"), 0);
}

// A connection whose OPEN record found no room is introduced with the next record that does.
TEST_P(LossTest, OpenIsSentAgain) {
  const Pair filler = Connect(Kind::kTcp4);
  const Pair late = Connect(Kind::kTcp4);
  const Pair pause = Connect(Kind::kUnixPair);
  Log log;
  Lab::Child child(*own_, [&] {
    for (size_t i = 0; i < 100; ++i) Must(SendAll(filler.near.get(), Numbered(i)));
    // What is left has no room for an OPEN record either, which is smaller than those of 200 bytes.
    for (size_t i = 0; i < 20; ++i) Must(SendAll(filler.near.get(), Request("small", 70)));
    Must(SendAll(late.near.get(), Numbered(0)));
    Must(SendAll(pause.near.get(), "full"));
    Must(ReceiveExactly(pause.near.get(), 2) == "on");
    Must(SendAll(late.near.get(), Numbered(1)));
  });
  child.Release();
  ASSERT_EQ(ReceiveExactly(pause.far.get(), 4), "full");
  own_->Drain(log);
  const ConnectionId id = own_->Id(late.near.get());
  EXPECT_EQ(log.Opens(id), 0U);
  ASSERT_TRUE(SendAll(pause.far.get(), "on"));
  EXPECT_EQ(child.Wait(), 0);
  own_->Drain(log);
  ExpectWhole(log, id, Direction::kSend, Numbered(1));
}

SONDE_FOR_EACH_FAMILY(LossTest);

}  // namespace
}  // namespace sonde::kernel_test
