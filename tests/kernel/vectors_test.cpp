// SPDX-License-Identifier: Apache-2.0
// sendmmsg and recvmmsg where their messages are hard to tell apart: the socket tracepoints see
// each without its index.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <string>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

class VectorsTest : public FamilyTest {};

constexpr Kind kKinds[] = {Kind::kTcp4, Kind::kUnixPair};

// Three messages asked for, the bytes of one and a half there.
TEST_P(VectorsTest, VectorThatIsNotFilled) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::string request = Request("vector", 150);
    const Log log = lab_->Run([&] {
      // Used again as the last call left it.
      std::array<std::array<char, 100>, 3> buffers = {};
      std::array<iovec, 3> segments;
      std::array<mmsghdr, 3> messages = {};
      for (size_t i = 0; i < 3; ++i) {
        segments[i] = {buffers[i].data(), buffers[i].size()};
        messages[i].msg_hdr.msg_iov = &segments[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      for (int round = 0; round < 3; ++round) {
        Must(SendAll(pair.far.get(), request));
        Must(recvmmsg(pair.near.get(), messages.data(), 3, MSG_DONTWAIT, nullptr) == 2);
        Must(messages[0].msg_len == 100 && messages[1].msg_len == 50);
      }
    });
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kReceive, request + request + request);
  }
}

// A timeout ends a vector between two messages without a failed one. The next call with the same
// vector fills its first message again: bytes of the second one's buffer would be old ones.
TEST_P(VectorsTest, VectorsBrokenOffByTheirTimeout) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    std::string stream;
    for (int i = 0; i < 6; ++i) stream += Request("timeout" + std::to_string(i), 100);
    ASSERT_TRUE(SendAll(pair.far.get(), stream));
    const Log log = lab_->Run([&] {
      std::array<std::array<char, 100>, 2> buffers;
      std::array<iovec, 2> segments;
      std::array<mmsghdr, 2> messages = {};
      for (size_t i = 0; i < 2; ++i) {
        std::ranges::fill(buffers[i], 'o');
        segments[i] = {buffers[i].data(), buffers[i].size()};
        messages[i].msg_hdr.msg_iov = &segments[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      for (int i = 0; i < 6; ++i) {
        timespec now = {};
        Must(recvmmsg(pair.near.get(), messages.data(), 2, 0, &now) == 1);
      }
    });
    const Coverage seen = ExpectStream(log, lab_->Id(pair.near.get()), Direction::kReceive, stream);
    EXPECT_EQ(seen.captured_bytes + seen.unseen_bytes, stream.size());
  }
}

// A vector of equal messages, over and over from one place: the case in which the messages are hard
// to tell apart.
TEST_P(VectorsTest, VectorsOfEqualLength) {
  const Pair pair = Connect(Kind::kTcp4);
  std::string stream;
  std::vector<std::string> requests;
  for (int i = 0; i < 200; ++i) requests.push_back(Request("equal" + std::to_string(1000 + i)));
  for (const std::string& request : requests) stream += request;
  const double unseen = lab_->Dropped("payload_unseen");
  const Log log = lab_->Run(
      [&] {
        for (size_t from = 0; from < requests.size(); from += 4) {
          std::array<iovec, 4> segments;
          std::array<mmsghdr, 4> messages = {};
          for (size_t i = 0; i < 4; ++i) {
            segments[i] = {requests[from + i].data(), requests[from + i].size()};
            messages[i].msg_hdr.msg_iov = &segments[i];
            messages[i].msg_hdr.msg_iovlen = 1;
          }
          Must(sendmmsg(pair.near.get(), messages.data(), 4, 0) == 4);
        }
      },
      [&] { EXPECT_EQ(ReceiveExactly(pair.far.get(), stream.size()), stream); });
  const Coverage seen = ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend, stream);
  // What could not be proven is counted as unseen, never given as other bytes.
  EXPECT_EQ(seen.captured_bytes + seen.unseen_bytes, stream.size());
  EXPECT_EQ(seen.unseen_bytes == 0, lab_->Dropped("payload_unseen") == unseen);
  EXPECT_LE(seen.unseen_bytes, stream.size() / 20);
}

SONDE_FOR_EACH_FAMILY(VectorsTest);

}  // namespace
}  // namespace sonde::kernel_test
