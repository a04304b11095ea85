// SPDX-License-Identifier: Apache-2.0
// Plain text at the edge of a TLS library: which connection it is told of, and how much of it was
// really moved. The library is fake_tls.h; real ones are tests/e2e's.
#include "sonde/abi/tls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_tls.h"
#include "lab.h"
#include "log.h"
#include "sockets.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/family.h"
#include "sonde/probe/prober.h"

namespace sonde::kernel_test {
namespace {

constexpr std::string_view kRandom = "0123456789abcdef0123456789ABCDEF";
// In memory that is written: a page of the file that was not touched cannot be read by a probe.
int descriptor_bio = 0x505;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
int memory_bio = 0x401;      // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

std::vector<OpenEvent> TextOpens(const Log& log) {
  std::vector<OpenEvent> opens;
  std::ranges::copy_if(log.opens, std::back_inserter(opens),
                       [](const OpenEvent& open) { return open.plain_text; });
  return opens;
}

// With the functions of fake_tls.h probed.
class ProbedTest : public FamilyTest {
 protected:
  void SetUp() override {
    FamilyTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!lab_->kernel().has(probe::Part::kTlsText)) GTEST_SKIP() << "family tls is not available";
    probes_ = Probe();
    ASSERT_NE(probes_, nullptr);
  }
  void TearDown() override { probes_.reset(); }

  virtual std::unique_ptr<probe::Prober::Attachment> Probe() = 0;

  std::unique_ptr<probe::Prober::Attachment> probes_;
};

class TlsTest : public ProbedTest {
 protected:
  std::unique_ptr<probe::Prober::Attachment> Probe() override {
    sonde_tls_probe send = FakeProbe(Direction::kSend);
    send.retries = 1;
    sonde_tls_probe write = FakeProbe(Direction::kSend);
    write.entire = 16384;
    write.returned = SONDE_RETURNED_COUNT;
    return ProbeFakes(*lab_, FakeProbe(Direction::kReceive), send, write);
  }

  static FakeTls Object(std::string_view random, bool server) {
    FakeTls tls;
    tls.server = server ? 1 : 0;
    std::ranges::copy(random.substr(0, 32), tls.random);
    return tls;
  }
  static const OpenEvent* OpenOf(const Log& log, ConnectionId id) {
    const auto found = std::ranges::find(log.opens, id, &OpenEvent::connection);
    return found == log.opens.end() ? nullptr : &*found;
  }
};

TEST_P(TlsTest, ClientRandomNamesTheSocket) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string request = Request("tls");
  const std::string response = "HTTP/1.1 204 No Content\r\n\r\n";
  const Log log = lab_->Run([&] {
    FakeTls tls = Object(kRandom, false);
    Must(SendAll(pair.near.get(), ClientHello(kRandom)));
    FakeText(tls, request, Direction::kSend);
    FakeText(tls, response, Direction::kReceive);
    FakeText(tls, Request("next"), Direction::kSend);
  });
  const ConnectionId id = TextId(pair.near.get());
  const OpenEvent* open = OpenOf(log, id);
  ASSERT_NE(open, nullptr);
  EXPECT_TRUE(open->plain_text);
  EXPECT_TRUE(open->has_begin);
  EXPECT_NE(open->peer, 0U);
  EXPECT_EQ(open->local.port, LocalPort(pair.near.get()));
  EXPECT_EQ(open->remote.port, LocalPort(pair.far.get()));
  const auto sent = log.Of(id, Direction::kSend);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].prefix, request);
  EXPECT_EQ(sent[0].event.position, 0U);
  EXPECT_EQ(sent[1].event.position, request.size());
  EXPECT_EQ(sent[0].event.source, Source::kOpenSsl);
  const auto received = log.Of(id, Direction::kReceive);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].prefix, response);
  // Of the encrypted bytes there is nothing.
  EXPECT_EQ(log.opens.size(), 1U);
  EXPECT_EQ(log.data.size(), 3U);
}

TEST_P(TlsTest, HelloReadInTwoPieces) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run(
      [&] {
        std::array<char, 512> buffer{};
        FakeTls tls = Object(kRandom, true);
        Must(read(pair.near.get(), buffer.data(), 5) == 5);
        Must(read(pair.near.get(), buffer.data(), buffer.size()) > 0);
        FakeText(tls, Request("a"), Direction::kReceive);
      },
      [&] { Must(SendAll(pair.far.get(), ClientHello(kRandom))); });
  const OpenEvent* open = OpenOf(log, TextId(pair.near.get()));
  ASSERT_NE(open, nullptr);
  EXPECT_TRUE(open->has_begin);
}

TEST_P(TlsTest, BothEndsInOneProcessAreTwoConnections) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string request = Request("both");
  const Log log = lab_->Run([&] {
    std::array<char, 512> buffer{};
    FakeTls client = Object(kRandom, false);
    FakeTls server = Object(kRandom, true);
    Must(SendAll(pair.near.get(), ClientHello(kRandom)));
    Must(read(pair.far.get(), buffer.data(), buffer.size()) > 0);
    FakeText(client, request, Direction::kSend);
    FakeText(server, request, Direction::kReceive);
  });
  const OpenEvent* near = OpenOf(log, TextId(pair.near.get()));
  const OpenEvent* far = OpenOf(log, TextId(pair.far.get()));
  ASSERT_NE(near, nullptr);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(near->peer, far->peer);
  EXPECT_EQ(log.Of(TextId(pair.near.get()), Direction::kSend).size(), 1U);
  EXPECT_EQ(log.Of(TextId(pair.far.get()), Direction::kReceive).size(), 1U);
}

// Attached after the handshake: the descriptor in the object leads to the socket.
TEST_P(TlsTest, DescriptorNamesTheSocket) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] {
    FakeBio bio{.method = &descriptor_bio, .fd = pair.near.get()};
    FakeTls tls = Object("never seen on any socket .........", false);
    tls.bio = &bio;
    FakeText(tls, Request("late"), Direction::kReceive);
  });
  const OpenEvent* open = OpenOf(log, TextId(pair.near.get()));
  ASSERT_NE(open, nullptr);
  EXPECT_FALSE(open->has_begin);
  EXPECT_EQ(open->peer, 0U);
  EXPECT_EQ(open->local.port, LocalPort(pair.near.get()));
}

// From then on the random does; a new handshake on the connection changes that.
TEST_P(TlsTest, DescriptorIsLookedForOnce) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string first = Request("first");
  const std::string second = Request("second");
  const Log log = lab_->Run([&] {
    FakeBio bio{.method = &descriptor_bio, .fd = pair.near.get()};
    FakeTls tls = Object("never seen on any socket .........", true);
    tls.bio = &bio;
    FakeText(tls, first, Direction::kReceive);
    tls.bio = nullptr;
    FakeText(tls, second, Direction::kReceive);
    tls = Object("chosen anew on the same one ......", true);
    tls.bio = &bio;
    FakeText(tls, Request("third"), Direction::kReceive);
  });
  EXPECT_EQ(TextOpens(log).size(), 1U);
  const auto received = log.Of(TextId(pair.near.get()), Direction::kReceive);
  ASSERT_EQ(received.size(), 3U);
  EXPECT_EQ(received[0].event.position, 0U);
  EXPECT_EQ(received[1].event.position, first.size());
  EXPECT_EQ(received[2].event.position, first.size() + second.size());
}

TEST_P(TlsTest, WithoutEvidenceTheSocketIsNotKnown) {
  const Pair pair = Connect(Kind::kTcp4);
  const Log log = lab_->Run([&] {
    FakeBio bio{.method = &memory_bio, .fd = pair.near.get()};
    FakeTls one = Object("never seen on any socket .........", false);
    FakeTls two = Object("never seen on any socket either ..", false);
    one.bio = two.bio = &bio;
    FakeText(one, Request("one"), Direction::kReceive);
    FakeText(two, Request("two"), Direction::kReceive);
    FakeText(one, Request("three"), Direction::kReceive);
  });
  const auto opens = TextOpens(log);
  ASSERT_EQ(opens.size(), 2U);
  EXPECT_EQ(opens[0].local.family, 0);
  EXPECT_EQ(log.Of(opens[0].connection, Direction::kReceive).size(), 2U);
  EXPECT_EQ(log.Of(opens[1].connection, Direction::kReceive).size(), 1U);
}

TEST_P(TlsTest, HandshakeMessagesAreNoText) {
  const Log log = lab_->Run([&] {
    FakeTls tls = Object(kRandom, false);
    tls.handshake = 1;
    FakeText(tls, Request("handshake"), Direction::kReceive);
  });
  EXPECT_TRUE(log.data.empty());
}

// Non-blocking: the library gives the same text again until the socket has taken it.
TEST_P(TlsTest, RetriedWriteIsOneWrite) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string text = Request("again");
  const Log log = lab_->Run([&] {
    FakeBio bio{.method = &descriptor_bio, .fd = pair.near.get()};
    FakeTls tls = Object(kRandom, false);
    tls.bio = &bio;
    Must(SendAll(pair.near.get(), ClientHello(kRandom)));
    FakeText(tls, text, Direction::kSend);
    FakeText(tls, text, Direction::kSend);  // nothing was sent since: a retry
    Must(SendAll(pair.near.get(), std::string(text.size() + 22, 'x')));
    FakeText(tls, text, Direction::kSend);  // that was sent: another write
    // To memory there is no waiting.
    bio.method = &memory_bio;
    FakeText(tls, text, Direction::kSend);
  });
  EXPECT_EQ(log.Of(TextId(pair.near.get()), Direction::kSend).size(), 3U);
}

TEST_P(TlsTest, LongWriteIsWhatWasAccepted) {
  const Pair pair = Connect(Kind::kTcp4);
  const std::string text = Request("long") + std::string(100'000, 'b');
  const Log log = lab_->Run([&] {
    FakeTls tls = Object(kRandom, false);
    Must(SendAll(pair.near.get(), ClientHello(kRandom)));
    size_t written = 0;
    tls.accepts = 0;
    Must(FakeWrite(tls, text, written) == 0);
    tls.accepts = 16384;
    Must(FakeWrite(tls, text, written) == 1 && written == 16384);
    tls.accepts = 200'000;
    Must(FakeWrite(tls, std::string_view(text).substr(16384), written) == 1);
    Must(FakeWrite(tls, "short", written) == 1);
  });
  const auto sent = log.Of(TextId(pair.near.get()), Direction::kSend);
  uint64_t length = 0;
  for (const Data& data : sent) {
    EXPECT_EQ(data.event.position, length);
    EXPECT_EQ(data.prefix, (text + "short").substr(length, data.prefix.size()));
    length += data.event.length;
  }
  EXPECT_EQ(length, text.size() + 5);
}

TEST_P(TlsTest, TheSocketsEndIsTheTextsEnd) {
  Pair pair = Connect(Kind::kTcp4);
  const ConnectionId id = TextId(pair.near.get());
  const Log log = lab_->Run(
      [&] {
        FakeTls tls = Object(kRandom, false);
        Must(SendAll(pair.near.get(), ClientHello(kRandom)));
        FakeText(tls, Request("end"), Direction::kSend);
        pair.far = {};
        shutdown(pair.near.get(), SHUT_RDWR);
        pair.near = {};
        usleep(100'000);
      },
      [&] {
        pair.far = {};
        pair.near = {};
      });
  const auto end = std::ranges::find(log.shutdowns, id, &ShutdownEvent::connection);
  ASSERT_NE(end, log.shutdowns.end());
  EXPECT_TRUE(end->send && end->receive);
}

TEST_P(TlsTest, OtherProcessesAreNotSeen) {
  FakeTls tls = Object(kRandom, false);
  FakeText(tls, Request("untraced"), Direction::kSend);
  Log log;
  lab_->Drain(log);
  EXPECT_TRUE(log.data.empty());
}

SONDE_FOR_EACH_FAMILY(TlsTest);

// Objects that move, and are known by what they own.
class MovingTlsTest : public ProbedTest {
 protected:
  std::unique_ptr<probe::Prober::Attachment> Probe() override {
    sonde_tls_probe receive = FakeProbe(Direction::kReceive);
    receive.random = SONDE_NOWHERE;
    receive.fd = SONDE_TLS_FD_NONE;
    receive.owned = SONDE_SOUGHT;
    sonde_tls_probe send = receive;
    send.direction = SONDE_SEND;
    return ProbeFakes(*lab_, receive, send, send);
  }

  static FakeTls Owner(const int& owned) {
    FakeTls tls;
    tls.owned = &owned;
    tls.methods = FakeMethods();
    return tls;
  }
};

TEST_P(MovingTlsTest, IsOneConnectionAtAllItsAddresses) {
  const Log log = lab_->Run([&] {
    const std::array<int, 2> owned{};
    FakeTls first = Owner(owned[0]);
    FakeTls second = first;  // it moved
    FakeTls other = Owner(owned[1]);
    FakeText(first, Request("one"), Direction::kReceive);
    FakeText(second, "HTTP/1.1 204 No Content\r\n\r\n", Direction::kSend);
    FakeText(second, Request("two"), Direction::kReceive);
    first = other;  // where it was is another now
    FakeText(first, Request("three"), Direction::kReceive);
  });
  ASSERT_EQ(log.opens.size(), 2U);
  EXPECT_EQ(log.Of(log.opens[0].connection, Direction::kReceive).size(), 2U);
  EXPECT_EQ(log.Of(log.opens[0].connection, Direction::kSend).size(), 1U);
  EXPECT_EQ(log.Of(log.opens[1].connection, Direction::kReceive).size(), 1U);
}

// Before the handshake's end there is nothing that lasts; or it is of a kind that is not known.
TEST_P(MovingTlsTest, WithoutWhatItOwnsItsAddressIsItsName) {
  const Log log = lab_->Run([&] {
    FakeTls one;
    FakeTls two;
    FakeText(one, Request("one"), Direction::kReceive);
    FakeText(two, Request("two"), Direction::kReceive);
    FakeText(one, Request("three"), Direction::kReceive);
  });
  ASSERT_EQ(log.opens.size(), 2U);
  EXPECT_EQ(log.Of(log.opens[0].connection, Direction::kReceive).size(), 2U);
}

// A socket whose handshake was seen waits for its text: the first that fits a record of it is that.
TEST_P(MovingTlsTest, AfterAHelloOneRecordIsEvidenceEnough) {
  const Pair pair = Connect(Kind::kTcp4);
  const Pair other = Connect(Kind::kTcp4);
  const std::string request = Request("first");
  const std::string record(request.size() + 22, 'x');
  const Log log = lab_->Run(
      [&] {
        std::array<char, 4096> buffer{};
        const std::array<int, 2> owned{};
        FakeTls tls = Owner(owned[0]);
        FakeTls unbegun = Owner(owned[1]);
        Must(read(pair.near.get(), buffer.data(), buffer.size()) > 0);
        Must(SendAll(pair.near.get(), "hello"));
        Must(read(pair.near.get(), buffer.data(), buffer.size()) > 0);
        FakeText(tls, request, Direction::kReceive);
        // Of this one no handshake was seen: one record is not enough.
        Must(read(other.near.get(), buffer.data(), buffer.size()) > 0);
        FakeText(unbegun, request, Direction::kReceive);
      },
      [&] {
        std::array<char, 64> buffer{};
        Must(SendAll(pair.far.get(), ClientHello(kRandom)));
        Must(read(pair.far.get(), buffer.data(), buffer.size()) > 0);
        Must(SendAll(pair.far.get(), record));
        Must(SendAll(other.far.get(), record));
      });
  const auto opens = TextOpens(log);
  ASSERT_EQ(opens.size(), 2U);
  EXPECT_EQ(opens[0].local.port, LocalPort(pair.near.get()));
  EXPECT_EQ(opens[0].remote.port, LocalPort(pair.far.get()));
  EXPECT_TRUE(opens[0].has_begin);
  EXPECT_NE(opens[0].peer, 0U);
  EXPECT_EQ(opens[1].local.family, 0);
  EXPECT_FALSE(opens[1].has_begin);
}

SONDE_FOR_EACH_FAMILY(MovingTlsTest);

}  // namespace
}  // namespace sonde::kernel_test
