// SPDX-License-Identifier: Apache-2.0
// Which sockets are seen, what their OPEN record says, that both ends name a message by the same
// place, and how a connection ends.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {
namespace {

constexpr Kind kKinds[] = {Kind::kTcp4,     Kind::kTcp6,      Kind::kMapped,
                           Kind::kUnixPair, Kind::kUnixBound, Kind::kUnixAbstract};

class TransportsTest : public FamilyTest {
 protected:
  static std::optional<OpenEvent> OpenOf(const Log& log, ConnectionId id) {
    const auto found = std::ranges::find(log.opens, id, &OpenEvent::connection);
    if (found == log.opens.end()) return std::nullopt;
    return *found;
  }
  // Of SHUTDOWN records of a connection, one that ends `direction`.
  static std::optional<ShutdownEvent> EndOf(const Log& log, ConnectionId id, Direction direction) {
    const auto found = std::ranges::find_if(log.shutdowns, [&](const ShutdownEvent& e) {
      return e.connection == id && e.has_position &&
             (direction == Direction::kSend ? e.send : e.receive);
    });
    if (found == log.shutdowns.end()) return std::nullopt;
    return *found;
  }
};

void ExpectEndpoints(const OpenEvent& open, Kind kind, const Pair& pair) {
  if (!IsTcp(kind)) {
    EXPECT_EQ(open.transport, Transport::kUnix);
    EXPECT_EQ(open.local.family, 1);
    EXPECT_EQ(open.local.path, pair.path);
    return;
  }
  EXPECT_EQ(open.transport, Transport::kTcp);
  EXPECT_EQ(open.local.port, LocalPort(pair.near.get()));
  EXPECT_EQ(open.remote.port, LocalPort(pair.far.get()));
  // v4-mapped is what it is on the wire.
  EXPECT_EQ(open.local.family, kind == Kind::kTcp6 ? 6 : 4);
  for (const Endpoint& end : {open.local, open.remote}) {
    EXPECT_EQ(end.AddressText(), kind == Kind::kTcp6 ? "::1" : "127.0.0.1");
  }
}

TEST_P(TransportsTest, OpenSaysWhoIsAtBothEnds) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    // Asking for a socket's cookie makes it. In the sock_length family the peer of a unix socket
    // has none, and is not named, before it does I/O itself.
    const ConnectionId far = lab_->Id(pair.far.get());
    const Log log = lab_->Run([&] { Must(SendAll(pair.near.get(), Request("open"))); });
    const auto open = OpenOf(log, lab_->Id(pair.near.get()));
    ASSERT_TRUE(open.has_value());
    ExpectEndpoints(*open, kind, pair);
    const uint32_t tgid = log.processes.at(0).event.tgid;
    EXPECT_EQ(open->who, (Execution{tgid, tgid, 0}));
    EXPECT_NE(open->netns, 0U);
    EXPECT_EQ(log.data.at(0).event.who, (Execution{tgid, tgid, 0}));
    EXPECT_EQ(open->peer, IsTcp(kind) ? 0 : far);
  }
}

TEST_P(TransportsTest, BothEndsNameAByteByTheSamePlace) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::string request = Request("there", 300);
    const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const Log log = lab_->Run([&] {
      for (int i = 0; i < 50; ++i) {
        Must(SendAll(pair.near.get(), request));
        Must(ReceiveExactly(pair.far.get(), request.size()) == request);
        Must(SendAll(pair.far.get(), response));
        Must(ReceiveExactly(pair.near.get(), response.size()) == response);
      }
    });
    for (const Direction direction : {Direction::kSend, Direction::kReceive}) {
      const auto near = log.Of(lab_->Id(pair.near.get()), direction);
      const auto far = log.Of(lab_->Id(pair.far.get()), Opposite(direction));
      ASSERT_EQ(near.size(), 50U);
      ASSERT_EQ(far.size(), 50U);
      for (size_t i = 0; i < near.size(); ++i) {
        EXPECT_EQ(near[i].event.position, far[i].event.position);
        EXPECT_EQ(near[i].prefix, far[i].prefix);
      }
    }
  }
}

// A process that was there before: the OPEN record says from where on the stream is seen.
TEST_P(TransportsTest, ConnectionThatWasOpenBefore) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::string unseen(5000, 'x');
    ASSERT_TRUE(SendAll(pair.near.get(), unseen) && SendAll(pair.far.get(), unseen));
    ASSERT_EQ(ReceiveExactly(pair.near.get(), 5000), unseen);
    const std::string request = Request("late");
    ASSERT_TRUE(SendAll(pair.far.get(), request));
    const Log log = lab_->Run([&] {
      Must(ReceiveExactly(pair.near.get(), request.size()) == request);
      Must(SendAll(pair.near.get(), request));
      Must(SendAll(pair.near.get(), request));
    });
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kReceive, request);
    ExpectWhole(log, lab_->Id(pair.near.get()), Direction::kSend, request + request);
  }
}

TEST_P(TransportsTest, OtherDescriptorsAreLeftAlone) {
  const Log log = lab_->Run([&] {
    const std::string request = Request("elsewhere");
    for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
      int ends[2];
      Must(socketpair(AF_UNIX, type, 0, ends) == 0);
      Must(SendAll(ends[0], request));
      Must(ReceiveExactly(ends[1], request.size()) == request);
    }
    int pipe_ends[2];
    Must(pipe(pipe_ends) == 0);
    Must(write(pipe_ends[1], request.data(), request.size()) ==
         static_cast<ssize_t>(request.size()));
    std::string back(request.size(), '\0');
    Must(read(pipe_ends[0], back.data(), back.size()) == static_cast<ssize_t>(back.size()));
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    Must(bind(udp, name, size) == 0 && getsockname(udp, name, &size) == 0);
    Must(sendto(udp, request.data(), request.size(), 0, name, size) > 0);
    Must(ReceiveExactly(udp, request.size()) == request);
  });
  EXPECT_TRUE(log.opens.empty());
  EXPECT_TRUE(log.data.empty());
}

TEST_P(TransportsTest, ProcessThatIsNotTracedIsNotSeen) {
  const Pair mine = Connect(Kind::kTcp4);
  const Pair theirs = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] { Must(SendAll(theirs.near.get(), Request("theirs"))); },
                            [&] {
                              EXPECT_TRUE(SendAll(mine.near.get(), Request("mine")));
                              EXPECT_FALSE(ReceiveExactly(mine.far.get(), 120).empty());
                            });
  ASSERT_EQ(log.opens.size(), 1U);
  EXPECT_EQ(log.opens[0].connection, lab_->Id(theirs.near.get()));
}

TEST_P(TransportsTest, EndOfStreamHasItsPlace) {
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(Name(kind));
    const Pair pair = Connect(kind);
    const std::string request = Request("end");
    const Log log = lab_->Run([&] {
      Must(SendAll(pair.near.get(), request));
      Must(shutdown(pair.near.get(), SHUT_WR) == 0);
      // A read of no bytes is no end; the end is told once.
      char byte = 0;
      Must(recv(pair.far.get(), &byte, 0, 0) == 0);
      Must(ReceiveExactly(pair.far.get(), request.size()) == request);
      Must(recv(pair.far.get(), &byte, 1, 0) == 0);
      Must(recv(pair.far.get(), &byte, 1, 0) == 0);
    });
    const ConnectionId far = lab_->Id(pair.far.get());
    const auto received = log.Of(far, Direction::kReceive);
    ASSERT_EQ(received.size(), 1U);
    const auto end = EndOf(log, far, Direction::kReceive);
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->position, received[0].event.position + request.size());
    EXPECT_EQ(std::ranges::count(log.shutdowns, far, &ShutdownEvent::connection), 1);
    if (IsTcp(kind)) {
      const auto sent = EndOf(log, lab_->Id(pair.near.get()), Direction::kSend);
      ASSERT_TRUE(sent.has_value());
      EXPECT_EQ(sent->position, end->position);
      EXPECT_FALSE(sent->receive);
    }
  }
}

// Last bytes and FIN in one segment: the FIN's number is not counted as a byte.
TEST_P(TransportsTest, LastBytesThatComeWithTheEnd) {
  for (const Kind kind : {Kind::kTcp4, Kind::kTcp6}) {
    const Pair pair = Connect(kind);
    const std::string request = Request("fin", 3000);
    ASSERT_TRUE(SendAll(pair.far.get(), request));
    ASSERT_EQ(shutdown(pair.far.get(), SHUT_WR), 0);
    const Log log = lab_->Run([&] {
      std::string all(request.size() + 1, '\0');
      Must(recv(pair.near.get(), all.data(), 1000, 0) == 1000);
      Must(recv(pair.near.get(), all.data(), all.size(), MSG_WAITALL) ==
           static_cast<ssize_t>(request.size() - 1000));
    });
    ExpectStream(log, lab_->Id(pair.near.get()), Direction::kReceive, request);
  }
}

TEST_P(TransportsTest, CloseAndResetAreReported) {
  for (const bool reset : {false, true}) {
    SCOPED_TRACE(reset);
    Pair pair = Connect(Kind::kTcp4);
    const ConnectionId id = lab_->Id(pair.near.get());
    const int fd = pair.near.get();
    Lab::Child child(*lab_, [&] {
      Must(SendAll(fd, Request("close")));
      if (reset) {
        const linger now = {.l_onoff = 1, .l_linger = 0};
        Must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
      }
    });
    pair.near = {};  // the child's is the last one
    child.Release();
    child.Wait();
    pair.far = {};
    Log log;
    const auto closed = [&] {
      return std::ranges::any_of(log.shutdowns, [&](const ShutdownEvent& e) {
        return e.connection == id && e.receive && e.send && !e.has_position;
      });
    };
    lab_->PollUntil(log, closed);
    EXPECT_TRUE(closed());
    EXPECT_EQ(EndOf(log, id, Direction::kSend).has_value(), !reset);
  }
}

// The kernel uses the memory of a closed socket again: state of the old one must not be taken for
// the new one's.
TEST_P(TransportsTest, EverySocketIsItsOwnConnection) {
  for (const Kind kind : {Kind::kTcp4, Kind::kUnixPair}) {
    SCOPED_TRACE(Name(kind));
    constexpr size_t kRounds = 300;
    const std::string request = Request("again");
    const Log log = lab_->Run([&] {
      for (size_t i = 0; i < kRounds; ++i) {
        const Pair pair = Connect(kind);
        Must(SendAll(pair.near.get(), request));
        Must(ReceiveExactly(pair.far.get(), request.size()) == request);
      }
    });
    ASSERT_EQ(log.opens.size(), 2 * kRounds);
    for (const OpenEvent& open : log.opens) {
      const bool sender = !log.Of(open.connection, Direction::kSend).empty();
      ExpectWhole(log, open.connection, sender ? Direction::kSend : Direction::kReceive, request);
    }
  }
}

// State of many sockets side by side: none takes another's place, class or name.
TEST_P(TransportsTest, ManyConnectionsAtOnce) {
  constexpr size_t kConnections = 200;
  constexpr size_t kRounds = 5;
  std::vector<Pair> pairs;
  for (size_t i = 0; i < kConnections; ++i) {
    pairs.push_back(Connect(i % 2 == 0 ? Kind::kTcp4 : Kind::kUnixPair));
  }
  const auto request = [](size_t i, size_t round) {
    return Request("c" + std::to_string(i) + "r" + std::to_string(round), 150 + i);
  };
  const Log log = lab_->Run([&] {
    for (size_t round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < kConnections; ++i) {
        Must(SendAll(pairs[i].near.get(), request(i, round)));
        Must(ReceiveExactly(pairs[i].far.get(), request(i, round).size()) == request(i, round));
      }
    }
  });
  EXPECT_EQ(log.opens.size(), 2 * kConnections);
  for (size_t i = 0; i < kConnections; ++i) {
    SCOPED_TRACE(i);
    std::string stream;
    for (size_t round = 0; round < kRounds; ++round) stream += request(i, round);
    ExpectWhole(log, lab_->Id(pairs[i].near.get()), Direction::kSend, stream);
    ExpectWhole(log, lab_->Id(pairs[i].far.get()), Direction::kReceive, stream);
  }
}

SONDE_FOR_EACH_FAMILY(TransportsTest);

}  // namespace
}  // namespace sonde::kernel_test
