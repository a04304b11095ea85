// SPDX-License-Identifier: Apache-2.0
// Order, holes, repairs, limits and ends, seen by a parser that writes down what it is shown.
#include "connection/connection_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "support/allocated_bytes.h"
#include "support/conversation.h"
#include "unit/connection/toy_protocol.h"

namespace sonde::connection {
namespace {

using testing::Conversation;
using testing::OwnedData;
using testing::ToyProtocols;

constexpr auto kIn = Direction::kReceive;
constexpr auto kOut = Direction::kSend;
constexpr uint64_t kSecond = 1'000'000'000;

// What the parsers of all closed connections were shown, one line each.
std::string Shown(Conversation& talk) {
  talk.Stop();
  std::string text;
  for (const Exchange& exchange : talk.sink.exchanges) {
    if (!text.empty()) text += "\n";
    text += std::get<HttpExchange>(exchange.detail).request.target;
  }
  return text;
}

class Table : public ::testing::Test {
 protected:
  double Events(const char* event) { return talk.Metric("sonde_stream_events_total", event); }
  Conversation talk{ToyProtocols()};
};

TEST_F(Table, InOrder) {
  talk.Receive("TOY1").Send("a").Receive("b");
  EXPECT_EQ(Shown(talk), "<TOY1>a<b");
  EXPECT_EQ(talk.Metric("sonde_stream_events_total"), 0);
}

TEST_F(Table, OutOfOrder) {
  const OwnedData a = talk.Make(kIn, "TOY1");
  const OwnedData b = talk.Make(kIn, "2");
  const OwnedData c = talk.Make(kIn, "3");
  const OwnedData d = talk.Make(kIn, "4");
  talk.Play(a).Play(d).Play(c).Play(b);
  EXPECT_EQ(Shown(talk), "<TOY1<2<3<4");
}

TEST_F(Table, FirstRecordLate) {
  const OwnedData a = talk.Make(kOut, "x");
  const OwnedData b = talk.Make(kOut, "y");
  talk.Receive("TOY1").Play(b).Play(a);
  EXPECT_EQ(Shown(talk), "<TOY1>x>y");
}

TEST_F(Table, RepeatedAndOverlapping) {
  const OwnedData a = talk.Make(kIn, "TOY123");
  OwnedData b = talk.Make(kIn, "456");
  OwnedData overlapping = b;
  overlapping.event.position -= 2;
  overlapping.event.length += 2;
  overlapping.prefix = "23456";
  talk.Play(a).Play(overlapping).Play(b).Play(a);
  EXPECT_EQ(Shown(talk), "<TOY123<456");
  EXPECT_EQ(Events("duplicate"), 2);
}

TEST_F(Table, HoleIsDeclaredAfterItsTime) {
  talk.Receive("TOY").Lose(kIn, 7).Receive("x").Wait(20'000'000);
  EXPECT_EQ(Events("gap"), 0);
  talk.Wait(60'000'000);
  EXPECT_EQ(Events("gap"), 1);
  EXPECT_EQ(Shown(talk), "<TOY<[7]<x");
}

TEST_F(Table, HoleIsDeclaredWhenMuchWaitsBehindIt) {
  talk.Receive("TOY").Lose(kIn, 7).Receive(std::string(40'000, 'x'));
  EXPECT_EQ(Events("gap"), 0);
  talk.Receive(std::string(40'000, 'y'));
  EXPECT_EQ(Events("gap"), 1);
  EXPECT_EQ(Shown(talk), "<TOY<[7]<" + std::string(40'000, 'x') + "<" + std::string(40'000, 'y'));
}

TEST_F(Table, WireWaitsLongerForAHole) {
  Conversation wire(ToyProtocols(), {.wire = true});
  wire.Receive("TOY").Lose(kIn, 7).Receive("x").Wait(500'000'000);
  EXPECT_EQ(wire.Metric("sonde_stream_events_total", "gap"), 0);
  wire.Wait(kSecond);
  EXPECT_EQ(wire.Metric("sonde_stream_events_total", "gap"), 1);
}

TEST_F(Table, KernelKnownHoleIsAHoleAtOnce) {
  talk.Cut(kIn, "TOYabcdefgh", 4, 2).Cut(kIn, "12345", 0);
  EXPECT_EQ(Shown(talk), "<TOYa[5]<gh<[5]");
}

TEST_F(Table, UnseenPayloadIsAHole) {
  talk.Receive("TOY");
  OwnedData data = talk.Make(kIn, "secret");
  data.event.unseen = true;
  talk.Play(data);
  EXPECT_EQ(Shown(talk), "<TOY<[6]");
}

// evidence/positions.md: both records seem to end at the same byte, and a hole of the size of their
// overlap stands before them.
TEST_F(Table, TwoWritersAreRepaired) {
  talk.Send("TOY");
  OwnedData first = talk.Make(kOut, "first.");
  const OwnedData second = talk.Make(kOut, "2nd");
  first.event.position += 3;  // read after the second write
  talk.Play(second).Play(first).Send("end");
  EXPECT_EQ(Shown(talk), ">TOY>first.>2nd>end");
  EXPECT_EQ(Events("repair"), 1);
  EXPECT_EQ(Events("gap"), 0);
}

TEST_F(Table, TwoWritersOfTheSameLength) {
  talk.Send("TOY");
  OwnedData first = talk.Make(kOut, "one");
  const OwnedData second = talk.Make(kOut, "two");
  first.event.position += 3;
  talk.Play(second).Play(first).Send("end");
  EXPECT_EQ(Shown(talk), ">TOY>one>two>end");
}

TEST_F(Table, NewNumberingStartsOver) {
  talk.Receive("TOY1");
  OwnedData far = talk.Make(kIn, "TOY2");
  far.event.position = (far.event.position + (2000U << 20)) & UINT32_MAX;
  talk.Play(far);
  EXPECT_EQ(Shown(talk), "<TOY1\nresumed:<TOY2");
  EXPECT_EQ(Events("restart"), 1);
}

// Each jump starts over; offsets must neither run out below nor above.
TEST_F(Table, NewNumberingAgainAndAgain) {
  for (const uint32_t jump : {0x80000100U, 0x7fffff00U}) {
    Conversation jumpy(ToyProtocols());
    uint64_t position = 1000;
    for (int i = 0; i < 20; ++i) {
      OwnedData data = jumpy.Make(kIn, "TOY");
      data.event.position = (position += jump) & UINT32_MAX;
      jumpy.Play(data);
    }
    EXPECT_EQ(jumpy.Metric("sonde_stream_events_total", "restart"), 20);
    EXPECT_EQ(Shown(jumpy).size(), 4 + 19 * std::string("\nresumed:<TOY").size());
  }
}

TEST_F(Table, CountsOfADamagedRecording) {
  Conversation talk_unix(ToyProtocols(), {.transport = Transport::kUnix});
  for (const uint64_t position : {uint64_t{1000}, UINT64_MAX, UINT64_MAX - 2, uint64_t{0},
                                  uint64_t{1} << 63, UINT64_MAX >> 1, uint64_t{5}}) {
    OwnedData data = talk_unix.Make(kIn, "TOY");
    data.event.position = position;
    talk_unix.Play(data);
  }
  EXPECT_EQ(talk_unix.table().size(), 1U);
  talk_unix.Stop();
  EXPECT_EQ(talk_unix.table().buffered_bytes(), 0U);
}

TEST_F(Table, UnixCountsThatStartAgain) {
  Conversation talk_unix(ToyProtocols(),
                         {.transport = Transport::kUnix, .first_receive = 0, .first_send = 0});
  talk_unix.Receive("TOY-long-record");
  OwnedData again = talk_unix.Make(kIn, "TOY2");
  again.event.position = 0;
  talk_unix.Play(again);
  EXPECT_EQ(Shown(talk_unix), "<TOY-long-record\nresumed:<TOY2");
}

TEST_F(Table, DetectionNeedsMoreThanOneRecord) {
  talk.Receive("T").Receive("O").Receive("Y!");
  EXPECT_EQ(Shown(talk), "<TOY!");
  ASSERT_EQ(talk.sink.verdicts.size(), 1U);
  EXPECT_TRUE(talk.sink.verdicts[0].second);
}

TEST_F(Table, OneSidedStreamIsRefusedInTheEnd) {
  for (int i = 0; i < 511; ++i) talk.Receive("log line\n");
  EXPECT_TRUE(talk.sink.verdicts.empty());
  talk.Receive("log line\n");
  ASSERT_EQ(talk.sink.verdicts.size(), 1U);
  EXPECT_FALSE(talk.sink.verdicts[0].second);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
}

TEST_F(Table, UpgradeEndsTheParser) {
  talk.Receive("TOY").Receive("UPGRADE").Receive("x");
  ASSERT_EQ(talk.sink.exchanges.size(), 1U);
  EXPECT_EQ(Shown(talk), "<TOY<UPGRADE");
}

TEST_F(Table, FinWithPositionWaitsForWhatIsBehind) {
  Conversation wire(ToyProtocols(), {.wire = true});
  wire.Receive("TOY");
  const OwnedData late = wire.Make(kIn, "late");
  wire.Fin(kIn).Play(late).Fin(kOut);
  EXPECT_EQ(Shown(wire), "<TOY<late||");  // both directions
  EXPECT_EQ(wire.table().size(), 0U);
}

TEST_F(Table, FinBehindAHoleEndsAfterItsTime) {
  Conversation wire(ToyProtocols(), {.wire = true});
  wire.Receive("TOY OPEN").Lose(kIn, 9).Fin(kIn).Wait(100'000'000).Wait(2 * kSecond);
  EXPECT_EQ(Shown(wire), "<TOY OPEN<[9]|");
}

TEST_F(Table, RecordOvertakenByTheCloseMakesNoConnection) {
  talk.Receive("TOY").Close().Send("late");
  EXPECT_EQ(talk.table().size(), 0U);
}

TEST_F(Table, SecondOpenOfTheSameSocketChangesNothing) {
  talk.Receive("TOY").As({.tgid = 7, .tid = 7, .id = 0});
  OpenEvent open{.mono_ns = 5, .connection = 1, .who = {}, .local = {}, .remote = {}};
  open.local = {.family = 4, .port = 8080, .address = {127, 0, 0, 1}, .path = {}};
  open.remote = {.family = 4, .port = 40000, .address = {127, 0, 0, 1}, .path = {}};
  talk.table().OnOpen(open);
  talk.Receive("x");
  EXPECT_EQ(talk.table().size(), 1U);
  open.remote.port = 1;  // the number was given to another socket
  talk.table().OnOpen(open);
  EXPECT_EQ(talk.table().size(), 1U);
  ASSERT_EQ(talk.sink.exchanges.size(), 1U);
}

// The text of a TLS connection whose socket is found later than its first bytes.
TEST_F(Table, EndsThatAreSaidLaterDoNotSendItBack) {
  Conversation text(ToyProtocols(), {.first_receive = 0, .first_send = 0, .open = false});
  OpenEvent open{.mono_ns = 5, .connection = 1, .who = {}, .local = {}, .remote = {}};
  open.plain_text = true;
  text.table().OnOpen(open);
  text.Receive("TOY").Send("TOY").Wait(100 * kSecond);
  open.local = {.family = 4, .port = 443, .address = {127, 0, 0, 1}, .path = {}};
  open.remote = {.family = 4, .port = 40000, .address = {127, 0, 0, 1}, .path = {}};
  open.has_begin = true;
  text.table().OnOpen(open);
  text.Receive("TOY");
  EXPECT_EQ(Shown(text), "resumed:<TOY");
}

TEST_F(Table, DataWithoutOpenIsTracked) {
  Conversation bare(ToyProtocols(), {.open = false});
  bare.Receive("TOY");
  EXPECT_EQ(bare.table().size(), 1U);
  EXPECT_EQ(Shown(bare), "<TOY");
}

TEST_F(Table, TheIdlestIsForgotten) {
  Conversation::Options options;
  options.limits.max_connections = 2;
  Conversation small(ToyProtocols(), options);
  small.Receive("TOY1").On(2).Open().Receive("TOY2").On(1).Receive("x").On(3).Open().Receive(
      "TOY3");
  EXPECT_EQ(small.table().size(), 2U);
  EXPECT_EQ(small.Metric("sonde_events_dropped_total", "connection_evicted"), 1);
  ASSERT_EQ(small.sink.exchanges.size(), 1U);
  EXPECT_EQ(small.sink.infos[0].id, 2U);
}

// 100,000 keep-alive connections that say nothing: no parser, no buffer, only what names them.
TEST_F(Table, IdleConnectionsCostNextToNothing) {
  constexpr size_t kConnections = 100'000;
  const size_t before = testing::AllocatedBytes();
  for (ConnectionId id = 2; id < 2 + kConnections; ++id) {
    talk.On(id).Open().Receive("TOY").Send("TOY");
    if (id % 1000 == 0) talk.Wait(2 * kSecond);
  }
  talk.Wait(2 * kSecond).Wait(2 * kSecond);
  const size_t each = (testing::AllocatedBytes() - before) / kConnections;
  EXPECT_EQ(talk.table().size(), 1 + kConnections);
  EXPECT_EQ(talk.table().buffered_bytes(), 0U);
  EXPECT_EQ(talk.Metric("sonde_connections", "toy"), kConnections);
  EXPECT_LE(each, 320U);
  RecordProperty("bytes_per_idle_connection", static_cast<int>(each));
  // They go on where they stood.
  talk.Receive("x").Stop();
  EXPECT_EQ(talk.sink.exchanges.size(), 1U);
  EXPECT_EQ(std::get<HttpExchange>(talk.sink.exchanges[0].detail).request.target, "resumed:<x");
}

TEST_F(Table, WhatTicksDependsOnWhatWaits) {
  for (ConnectionId id = 2; id < 50'000; ++id) talk.On(id).Open().Receive("TOY");
  talk.Wait(2 * kSecond).Wait(2 * kSecond);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10'000; ++i) talk.Wait(10'000'000);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(Table, BytesPerConnectionAreLimited) {
  Conversation::Options options;
  options.limits.connection_bytes = 1000;
  Conversation small(ToyProtocols(), options);
  small.Receive("TOY").Lose(kIn, 1);
  for (int i = 0; i < 10; ++i) small.Receive(std::string(200, 'x'));
  EXPECT_LE(small.table().buffered_bytes(), 1000U);
  EXPECT_GT(small.Metric("sonde_events_dropped_total", "connection_buffer"), 0);
  small.Wait(kSecond);
  EXPECT_EQ(small.table().buffered_bytes(), 0U);
}

TEST_F(Table, BytesInTotalAreLimited) {
  Conversation::Options options;
  options.limits.total_connection_bytes = 1000;
  Conversation small(ToyProtocols(), options);
  for (ConnectionId id = 1; id <= 10; ++id) {
    small.On(id).Open().Receive("TOY").Lose(kIn, 1).Receive(std::string(200, 'x'));
  }
  EXPECT_LE(small.table().buffered_bytes(), 1000U);
  EXPECT_GT(small.Metric("sonde_events_dropped_total", "total_buffer"), 0);
}

TEST_F(Table, IdleUnixConnectionsAreForgotten) {
  Conversation talk_unix(ToyProtocols(),
                         {.transport = Transport::kUnix, .first_receive = 0, .first_send = 0});
  talk_unix.Receive("TOY").Wait(2 * kSecond).Wait(100 * kSecond);
  EXPECT_EQ(talk_unix.table().size(), 1U);
  talk_unix.Wait(300 * kSecond);
  EXPECT_EQ(talk_unix.table().size(), 0U);
}

TEST_F(Table, OpenExchangeKeepsAUnixConnection) {
  Conversation talk_unix(ToyProtocols(),
                         {.transport = Transport::kUnix, .first_receive = 0, .first_send = 0});
  talk_unix.Receive("TOY OPEN").Wait(2 * kSecond).Wait(400 * kSecond);
  EXPECT_EQ(talk_unix.table().size(), 1U);
}

TEST_F(Table, GaugesFollowTheStates) {
  EXPECT_EQ(talk.Metric("sonde_connections", "open"), 1);
  talk.Receive("TOY");
  EXPECT_EQ(talk.Metric("sonde_connections", "open"), 0);
  EXPECT_EQ(talk.Metric("sonde_connections", "toy"), 1);
  talk.Close();
  EXPECT_EQ(talk.Metric("sonde_connections"), 0);
}

TEST_F(Table, ARefusedConnectionIsLeftAlone) {
  Conversation refused(ToyProtocols(), {.open = false});
  OpenEvent open{.mono_ns = 5, .connection = 1, .who = {}, .local = {}, .remote = {}};
  open.local = {.family = 4, .port = 5432, .address = {127, 0, 0, 1}, .path = {}};
  refused.table().Refuse(open);
  refused.Receive("TOY");
  EXPECT_EQ(refused.table().size(), 1U);
  ASSERT_EQ(refused.sink.exchanges.size(), 0U);
  EXPECT_EQ(Shown(refused), "");
  EXPECT_EQ(refused.Metric("sonde_connections", "ignored"), 0) << "forgotten at the stop";
}

TEST_F(Table, WhatWasWantedBeforeIsNotRefused) {
  talk.Receive("TOY");
  OpenEvent open{.mono_ns = 5, .connection = 1, .who = {}, .local = {}, .remote = {}};
  open.local = {.family = 4, .port = 8080, .address = {127, 0, 0, 1}, .path = {}};
  open.remote = {.family = 4, .port = 40000, .address = {127, 0, 0, 1}, .path = {}};
  talk.table().Refuse(open);
  talk.Receive("x");
  EXPECT_EQ(Shown(talk), "<TOY<x");
}

TEST(TableLimits, RefusesNonsense) {
  testing::CollectingSink sink;
  MetricRegistry metrics;
  LimitOptions limits;
  EXPECT_FALSE(ConnectionTable::Create(limits, {}, sink, sink, metrics).ok());
  limits.max_connections = 0;
  EXPECT_FALSE(ConnectionTable::Create(limits, ToyProtocols(), sink, sink, metrics).ok());
}

}  // namespace
}  // namespace sonde::connection
