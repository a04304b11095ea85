// SPDX-License-Identifier: Apache-2.0
// How much of the bytes is copied, in the kernel: heads whole, bodies not, other protocols nothing
// but a counter. The policy itself is tested in tests/unit/wire.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"
#include "sonde/wire/capture_limits.h"

namespace sonde::kernel_test {
namespace {

class CaptureTest : public FamilyTest {
 protected:
  // A child sends each of `calls` in one call, this process takes them.
  Log Send(const Pair& pair, const std::vector<std::string>& calls) {
    size_t total = 0;
    for (const std::string& bytes : calls) total += bytes.size();
    return lab_->Run(
        [&] {
          for (const std::string& bytes : calls) Must(SendAll(pair.near.get(), bytes));
        },
        [&] { EXPECT_EQ(ReceiveExactly(pair.far.get(), total).size(), total); });
  }
  static std::string Join(const std::vector<std::string>& calls) {
    std::string all;
    for (const std::string& bytes : calls) all += bytes;
    return all;
  }
};

std::string LargeHead(size_t size) {
  std::string head = "GET /large HTTP/1.1\r\nHost: lab\r\n";
  for (size_t i = 0; head.size() + 20 < size; ++i) {
    head += "X-" + std::to_string(i) + ": " + std::to_string(i * 2654435761U) + "\r\n";
  }
  return head + "\r\n";
}

TEST_P(CaptureTest, HeadOfAnySizeIsWhole) {
  for (const size_t size : {100, 1000, 1030, 4000, 4200, 8000, 8300, 20000, 60000}) {
    SCOPED_TRACE(size);
    const Pair pair = Connect(Kind::kTcp4);
    const std::string head = LargeHead(size);
    const Log log = Send(pair, {head, Request("next")});
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, head + Request("next"));
    for (const Data& record : log.data) EXPECT_LE(record.prefix.size(), SONDE_PIECE_BYTES);
  }
}

// Received in one call of several segments, cut where it hurts.
TEST_P(CaptureTest, LargeHeadInSegments) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string head = LargeHead(30000);
  ASSERT_TRUE(SendAll(pair.far.get(), head));
  const Log log = lab_->Run([&] {
    std::string buffer(head.size(), '\0');
    std::vector<iovec> segments;
    size_t from = 0;
    for (const size_t to :
         {size_t{1}, size_t{4095}, size_t{8191}, size_t{8193}, size_t{16384}, head.size()}) {
      segments.push_back({buffer.data() + from, to - from});
      from = to;
    }
    msghdr message = {};
    message.msg_iov = segments.data();
    message.msg_iovlen = segments.size();
    Must(recvmsg(pair.near.get(), &message, MSG_WAITALL) == static_cast<ssize_t>(head.size()));
    Must(buffer == head);
  });
  ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kReceive, head);
}

TEST_P(CaptureTest, BodyCostsARecordNotItsBytes) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string request = Request("upload", 100000);
  const std::string more(200000, 'b');
  const Log log = Send(pair, {request, more, more, Request("next")});
  const Coverage seen = ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend,
                                     Join({request, more, more, Request("next")}));
  EXPECT_EQ(seen.unseen_bytes, 0U);
  EXPECT_LT(seen.captured_bytes, 2000U);
  // The next message's head is there.
  EXPECT_EQ(log.data.back().prefix, Request("next"));
}

// More than are looked at together, up to what the kernel allows in one call.
TEST_P(CaptureTest, EverySegmentIsFollowed) {
  for (const size_t count : {64, 65, 128, 300, 1024}) {
    SCOPED_TRACE(count);
    const Pair pair = Connect(Kind::kTcp4);
    const std::string request = LargeHead(10 * count);
    const double dropped = lab_->Dropped("segments");
    const Log log = lab_->Run([&] {
      std::vector<iovec> segments;
      for (size_t i = 0; i < request.size(); i += 10) {
        segments.push_back(
            {const_cast<char*>(request.data()) + i, std::min<size_t>(10, request.size() - i)});
      }
      Must(writev(pair.near.get(), segments.data(), static_cast<int>(segments.size())) ==
           static_cast<ssize_t>(request.size()));
      Must(SendAll(pair.near.get(), Request("next")));
    });
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, request + Request("next"));
    EXPECT_EQ(lab_->Dropped("segments") - dropped, 0);
  }
}

TEST_P(CaptureTest, OtherProtocolBecomesQuiet) {
  for (const Kind kind : {Kind::kTcp4, Kind::kUnixPair}) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::vector<std::string> calls(50, std::string(100, '\x03'));
    const double quiet = lab_->QuietCalls();
    const Log log = Send(pair, calls);
    const ConnectionId id = lab_->Id(pair.near.get());
    size_t captured = 0;
    for (const Data& record : log.data) captured += record.prefix.size();
    EXPECT_EQ(captured, SONDE_UNKNOWN_BUDGET);
    EXPECT_EQ(static_cast<double>(log.Of(id, Direction::kSend).size()) + lab_->QuietCalls() - quiet,
              50);
    EXPECT_LE(log.data.size(), 6U);
  }
}

// A process that was attached in the middle of something, a connection taken over by HTTP after a
// banner ...
TEST_P(CaptureTest, HttpBehindAnotherProtocolIsFound) {
  const Pair pair = Connect(Kind::kTcp4);
  std::vector<std::string> calls(20, std::string(100, '\x03'));
  calls.push_back(Request("late"));
  const Log log = Send(pair, calls);
  ASSERT_FALSE(log.data.empty());
  EXPECT_EQ(log.data.back().prefix, Request("late"));
  ExpectStream(log, lab_->Id(pair.near.get()), Direction::kSend, Join(calls), true);
}

TEST_P(CaptureTest, TlsIsQuietFromItsFirstByte) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string hello = std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(511, 'r');
  const double quiet = lab_->QuietCalls();
  const Log log = Send(pair, {hello, std::string(1000, 'e'), Request("not")});
  EXPECT_TRUE(log.opens.empty());
  EXPECT_TRUE(log.data.empty());
  EXPECT_EQ(lab_->QuietCalls() - quiet, 3);
}

TEST_P(CaptureTest, VerdictRefusedIsForGood) {
  const Pair pair = Connect(Kind::kTcp4);
  const ConnectionId id = lab_->Id(pair.near.get());
  lab_->kernel().SetVerdict(id, Verdict::kRefused);
  // Asked at the end of the budget.
  const Log log =
      Send(pair, {std::string(SONDE_UNKNOWN_BUDGET, 'x'), "y", Request("one"), Request("two")});
  ASSERT_EQ(log.data.size(), 1U);
  EXPECT_EQ(log.data[0].prefix.size(), SONDE_UNKNOWN_BUDGET);
}

TEST_P(CaptureTest, VerdictRecognisedGoesOn) {
  const Pair pair = Connect(Kind::kTcp4);
  const ConnectionId id = lab_->Id(pair.near.get());
  lab_->kernel().SetVerdict(id, Verdict::kMessages);
  const std::vector<std::string> calls(10, std::string(300, 'x'));
  const Log log = Send(pair, calls);
  const Coverage seen = ExpectStream(log, id, Direction::kSend, Join(calls));
  EXPECT_EQ(seen.records, 10U);
  // The call in which the budget ended was cut; from then on, all.
  EXPECT_EQ(seen.captured_bytes, 3000 - (600 - SONDE_UNKNOWN_BUDGET));
}

TEST_P(CaptureTest, PortFilter) {
  const Pair wanted = Connect(Kind::kTcp4);
  const Pair other = Connect(Kind::kTcp6);
  const Pair unix_pair = Connect(Kind::kUnixPair);
  const uint16_t port = LocalPort(wanted.far.get());
  const auto own = OwnLab({.ports = {{1, 1}, {port, port}}, .probes = {}, .no_probes = {}});
  ASSERT_NE(own, nullptr);
  const Log log = own->Run([&] {
    for (const Pair* pair : {&wanted, &other, &unix_pair}) {
      Must(SendAll(pair->near.get(), Request("port")));
      Must(ReceiveExactly(pair->far.get(), 120) == Request("port"));
    }
  });
  // Either end has the port.
  EXPECT_EQ(log.opens.size(), 2U);
  ExpectWhole(log, own->Id(wanted.near.get()), Direction::kSend, Request("port"));
  ExpectWhole(log, own->Id(wanted.far.get()), Direction::kReceive, Request("port"));
  EXPECT_EQ(own->QuietCalls(), 4);
}

SONDE_FOR_EACH_FAMILY(CaptureTest);

}  // namespace
}  // namespace sonde::kernel_test
