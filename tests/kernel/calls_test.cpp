// SPDX-License-Identifier: Apache-2.0
// Each call that moves bytes, on each kind of stream socket, in each socket family: records carry
// the right bytes at the right places. Where the families differ, the table in calls.cpp says so.
#include "calls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

using Parameters = std::tuple<std::string, Kind, Call>;

std::string CaseName(const testing::TestParamInfo<Parameters>& info) {
  const auto& [family, kind, call] = info.param;
  return family + "_" + Name(kind) + "_" + call.name;
}

class CallsTest : public LabTest, public testing::WithParamInterface<Parameters> {
 protected:
  void SetUp() override { UseFamily(std::get<0>(GetParam())); }
  static const Call& call() { return std::get<2>(GetParam()); }
  Sight sight() const { return call().In(family_); }

  // The call between two that are surely seen.
  void Expect(const Log& log, ConnectionId id) {
    const Direction direction = call().sends ? Direction::kSend : Direction::kReceive;
    const bool hole = sight() == Sight::kHole && IsTcp(std::get<1>(GetParam()));
    // Unix sockets have no sequence numbers: what no hook sees is not even missing.
    const bool forgotten = sight() == Sight::kHole && !hole;
    const std::string stream = before_ + (forgotten ? "" : middle_) + after_;
    const Coverage seen = ExpectStream(log, id, direction, stream, hole);
    EXPECT_EQ(seen.captured_bytes,
              before_.size() + after_.size() + (sight() == Sight::kWhole ? middle_.size() : 0));
    EXPECT_EQ(seen.unseen_bytes, sight() == Sight::kLength ? middle_.size() : 0);
    EXPECT_EQ(seen.missing_bytes, hole ? middle_.size() : 0);
    EXPECT_EQ(seen.records, 2 + (sight() == Sight::kHole ? 0 : call().messages));
    EXPECT_TRUE(log.Of(id, Opposite(direction)).empty());
  }

  const std::string before_ = Request("before", 200);
  const std::string middle_ = Request("middle", 900);
  const std::string after_ = Request("after", 150);
};

TEST_P(CallsTest, BytesAndPositions) {
  const Pair pair = Connect(std::get<1>(GetParam()));
  const int fd = pair.near.get();
  const std::string stream = before_ + middle_ + after_;
  const double unseen = lab_->Dropped("payload_unseen");
  if (!call().sends) {
    ASSERT_TRUE(SendAll(pair.far.get(), stream));
  }
  const Log log = lab_->Run([&] {
    if (call().sends) {
      Must(SendAll(fd, before_));
      call().move(fd, middle_);
      Must(SendAll(fd, after_));
    } else {
      Must(ReceiveExactly(fd, before_.size()) == before_);
      call().move(fd, middle_);
      Must(ReceiveExactly(fd, after_.size()) == after_);
    }
  });
  Expect(log, lab_->Id(fd));
  if (call().sends) {
    EXPECT_EQ(ReceiveExactly(pair.far.get(), stream.size()), stream);
  }
  const bool counted = sight() == Sight::kLength && std::string(call().name) != "sendfile";
  EXPECT_EQ(lab_->Dropped("payload_unseen") - unseen, counted ? 1 : 0);
  EXPECT_EQ(lab_->Dropped("invalid_record"), 0);
  // The other end belongs to this process, which is not traced.
  EXPECT_EQ(log.Opens(lab_->Id(pair.far.get())), 0U);
}

INSTANTIATE_TEST_SUITE_P(, CallsTest,
                         testing::Combine(testing::ValuesIn(kFamilies),
                                          testing::Values(Kind::kTcp4, Kind::kTcp6, Kind::kMapped,
                                                          Kind::kUnixPair, Kind::kUnixBound),
                                          testing::ValuesIn(Calls().begin(), Calls().end())),
                         CaseName);

}  // namespace
}  // namespace sonde::kernel_test
