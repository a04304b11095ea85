// SPDX-License-Identifier: Apache-2.0
// Places of bytes where that is hard: partial transfers, peeking, sequence
// numbers that begin again at 0, two writers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

class PositionsTest : public FamilyTest {};

constexpr Kind kKinds[] = {Kind::kTcp4, Kind::kUnixPair};

TEST_P(PositionsTest, PartialTransfers) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const int fd = pair.near.get();
    const int small = 4096;
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    const std::string request = Request("partial", 1 << 20);
    std::string received;
    const Log log = lab_->Run(
        [&] {
          size_t done = 0;
          size_t partial = 0;
          while (done < request.size()) {
            const ssize_t sent =
                send(fd, request.data() + done, request.size() - done, MSG_DONTWAIT);
            Must(sent > 0 || errno == EAGAIN);
            if (sent <= 0) {
              std::this_thread::yield();
              continue;
            }
            done += static_cast<size_t>(sent);
            partial += done < request.size() ? 1 : 0;
          }
          Must(partial > 0);
        },
        [&] { received = ReceiveExactly(pair.far.get(), request.size()); });
    EXPECT_EQ(received, request);
    const Coverage seen = ExpectStream(log, lab_->Id(fd), Direction::kSend, request);
    EXPECT_GT(seen.records, 1U);
  }
}

TEST_P(PositionsTest, ShortReceivesIntoLargeBuffers) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::string request = Request("short", 700);
    ASSERT_TRUE(SendAll(pair.far.get(), request));
    const Log log = lab_->Run([&] {
      char large[4096];
      Must(recv(pair.near.get(), large, 10, 0) == 10);
      Must(recv(pair.near.get(), large, sizeof(large), 0) == 690);
    });
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kReceive, request);
  }
}

TEST_P(PositionsTest, PeekIsNotConsumption) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const int fd = pair.near.get();
    const std::string request = Request("peek");
    ASSERT_TRUE(SendAll(pair.far.get(), request + request));
    const Log log = lab_->Run([&] {
      char bytes[400];
      iovec segment = {bytes, sizeof(bytes)};
      msghdr message = {};
      message.msg_iov = &segment;
      message.msg_iovlen = 1;
      Must(recv(fd, bytes, sizeof(bytes), MSG_PEEK) > 0);
      Must(recvmsg(fd, &message, MSG_PEEK) > 0);
      Must(recv(fd, bytes, 1, MSG_PEEK) == 1);
      Must(ReceiveExactly(fd, request.size()) == request);
      Must(recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT) > 0);
      Must(ReceiveExactly(fd, request.size()) == request);
    });
    ExpectWhole(log, lab_->Id(fd), Direction::kReceive, request + request);
    EXPECT_EQ(log.Of(lab_->Id(fd), Direction::kReceive).size(), 2U);
  }
}

// TCP throws bytes away for MSG_TRUNC: the buffer holds nothing of them.
TEST_P(PositionsTest, BytesThrownAwayAreUnseen) {
  const Pair pair = Connect(Kind::kTcp4);
  const int fd = pair.near.get();
  const std::string request = Request("trunc", 400);
  ASSERT_TRUE(SendAll(pair.far.get(), request + request));
  const double unseen = lab_->Dropped("payload_unseen");
  const Log log = lab_->Run([&] {
    std::string garbage(400, '#');
    Must(ReceiveExactly(fd, 100).size() == 100);
    Must(recv(fd, garbage.data(), 300, MSG_TRUNC) == 300);
    Must(garbage == std::string(400, '#'));
    Must(ReceiveExactly(fd, request.size()) == request);
  });
  const Coverage seen = ExpectStream(log, lab_->Id(fd), Direction::kReceive, request + request);
  EXPECT_EQ(seen.unseen_bytes, 300U);
  EXPECT_EQ(seen.captured_bytes, 500U);
  EXPECT_EQ(lab_->Dropped("payload_unseen") - unseen, 1);
}

constexpr uint32_t kWindow = 32768;

// Makes an established connection with chosen sequence numbers, as checkpoint and restore do.
void Repair(int fd, const sockaddr_in& self, const sockaddr_in& other, uint32_t send,
            uint32_t receive) {
  const int on = 1;
  const int off = TCP_REPAIR_OFF_NO_WP;
  const auto set = [&](int option, const auto& value) {
    ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)), 0)
        << std::strerror(errno);
  };
  set(TCP_REPAIR, on);
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof(self)), 0);
  set(TCP_REPAIR_QUEUE, static_cast<int>(TCP_SEND_QUEUE));
  set(TCP_QUEUE_SEQ, send);
  set(TCP_REPAIR_QUEUE, static_cast<int>(TCP_RECV_QUEUE));
  set(TCP_QUEUE_SEQ, receive);
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&other), sizeof(other)), 0);
  // Window scale, sent and received: the handshake that did not happen would have agreed on one.
  constexpr uint32_t kWindowScale = 3;
  set(TCP_REPAIR_OPTIONS, tcp_repair_opt{.opt_code = kWindowScale, .opt_val = 7U << 16 | 7U});
  set(TCP_REPAIR_WINDOW, tcp_repair_window{.snd_wl1 = receive,
                                           .snd_wnd = kWindow,
                                           .max_window = kWindow,
                                           .rcv_wnd = kWindow,
                                           .rcv_wup = receive});
  set(TCP_REPAIR, off);
  set(TCP_NODELAY, on);
}

// A free port of loopback; nobody else binds between this and its use, or bind fails.
sockaddr_in FreePort() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const kernel::FileDescriptor fd(socket(AF_INET, SOCK_STREAM, 0));
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return address;
}

TEST_P(PositionsTest, SequenceNumbersBeginAgainAtZero) {
  const kernel::FileDescriptor near(socket(AF_INET, SOCK_STREAM, 0));
  const kernel::FileDescriptor far(socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in a = FreePort();
  const sockaddr_in b = FreePort();
  const uint32_t up = 0U - 1000;  // 1000 bytes before the wrap
  const uint32_t down = 0U - 130;
  ASSERT_NO_FATAL_FAILURE(Repair(near.get(), a, b, up, down));
  ASSERT_NO_FATAL_FAILURE(Repair(far.get(), b, a, down, up));
  const std::string request = Request("wrap", 300);
  std::string stream;
  for (int i = 0; i < 6; ++i) stream += request;
  const Log log = lab_->Run([&] {
    for (int i = 0; i < 6; ++i) {
      Must(SendAll(near.get(), request));
      Must(ReceiveExactly(far.get(), request.size()) == request);
      Must(SendAll(far.get(), request));
      Must(ReceiveExactly(near.get(), request.size()) == request);
    }
  });
  for (const int fd : {near.get(), far.get()}) {
    for (const Direction direction : {Direction::kSend, Direction::kReceive}) {
      ExpectWhole(log, lab_->Id(fd), direction, stream);
    }
  }
  const auto sent = log.Of(lab_->Id(near.get()), Direction::kSend);
  ASSERT_EQ(sent.size(), 6U);
  EXPECT_EQ(sent[0].event.position, up);
  EXPECT_EQ(sent[3].event.position, up + 900);
  EXPECT_EQ(sent[4].event.position, 200U);  // 32 bits, not a number beyond them
}

// Two threads write whole messages to one socket. Each record has one whole message; where two
// sends overlapped in time the sequence number may be read after the other's write, and then two
// records overlap while a hole of the same size stands before them (evidence/positions.md), which
// the connection stage repairs. The reader is exact.
TEST_P(PositionsTest, TwoWriters) {
  constexpr size_t kEach = 3000;
  const Pair pair = Connect(Kind::kTcp4);
  const auto message = [](char who, size_t i) {
    return Request(who + std::to_string(10000 + i), 100 + i % 50);
  };
  size_t total = 0;
  for (size_t i = 0; i < kEach; ++i) total += message('a', i).size() + message('b', i).size();
  std::string received;
  const Log log = lab_->Run(
      [&] {
        const auto write_all = [&](char who) {
          for (size_t i = 0; i < kEach; ++i) Must(SendAll(pair.near.get(), message(who, i)));
        };
        std::thread other(write_all, 'b');
        write_all('a');
        other.join();
      },
      [&] { received = ReceiveExactly(pair.far.get(), total); });
  ASSERT_EQ(received.size(), total);
  auto records = log.Of(lab_->Id(pair.near.get()), Direction::kSend);
  ASSERT_EQ(records.size(), 2 * kEach);
  // Where the stream begins, as each record has it: its place less that of its bytes in what was
  // received.
  std::map<uint32_t, size_t> begins;
  for (const Data& record : records) {
    ASSERT_EQ(record.prefix.size(), record.event.length);
    const size_t at = received.find(record.prefix);
    ASSERT_NE(at, std::string::npos);
    ++begins[static_cast<uint32_t>(record.event.position - at)];
  }
  size_t agreed = 0;
  for (const auto& [begin, votes] : begins) agreed = std::max(agreed, votes);
  const size_t misplaced = records.size() - agreed;
  RecordProperty("misplaced", static_cast<int>(misplaced));
  EXPECT_LT(misplaced, records.size() / 20);
  // No message twice.
  std::ranges::sort(records, {}, &Data::prefix);
  EXPECT_EQ(std::ranges::adjacent_find(records, {}, &Data::prefix), records.end());
  uint64_t sum = 0;
  for (const Data& record : records) sum += record.event.length;
  EXPECT_EQ(sum, total);
}

SONDE_FOR_EACH_FAMILY(PositionsTest);

}  // namespace
}  // namespace sonde::kernel_test
