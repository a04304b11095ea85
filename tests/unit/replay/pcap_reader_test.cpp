// SPDX-License-Identifier: Apache-2.0
// Captures made in memory, replayed through connection stage and HTTP/1 parser.
#include "replay/pcap_reader.h"

#include <gtest/gtest.h>
#include <pcap/dlt.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connection/connection_table.h"
#include "protocol/registry.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/exchange.h"
#include "support/conversation.h"
#include "support/pcap_writer.h"

namespace sonde::replay {
namespace {

using testing::EthernetFrame;
using testing::Ipv4Bytes;
using testing::Ipv6Bytes;
using testing::kAck;
using testing::kFin;
using testing::kRst;
using testing::kSyn;
using testing::PcapWriter;
using testing::TcpBytes;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Replayed {
  explicit Replayed(const std::string& bytes) {
    std::string copy = bytes;
    std::FILE* file = fmemopen(copy.data(), copy.size(), "rb");
    auto table = connection::ConnectionTable::Create(
                     LimitOptions(), protocol::RegisteredProtocols(), sink, sink, metrics)
                     .value();
    status = ReplayPcapStream(file, *table, metrics);
    table->Shutdown(0);
  }
  std::string Text() const {
    std::string text;
    for (const Exchange& exchange : sink.exchanges) {
      if (!text.empty()) text += "\n";
      text += testing::Conversation::Describe(exchange);
    }
    return text;
  }
  double Dropped(std::string_view reason) const {
    for (const MetricFamily& family : metrics.Snapshot()) {
      if (family.name != "sonde_events_dropped_total") continue;
      for (const MetricSample& sample : family.samples) {
        if (sample.labels[0].second == reason) return sample.value;
      }
    }
    return -1;
  }

  testing::CollectingSink sink;
  MetricRegistry metrics;
  Status status;
};

// The segments of one connection: handshake, one exchange, both FINs. Server at port 80.
std::vector<std::string> OneExchange(uint32_t client_isn = 100, uint32_t server_isn = 900) {
  const uint32_t c = client_isn + 1;
  const uint32_t s = server_isn + 1;
  const auto get = static_cast<uint32_t>(kGet.size());
  const auto ok = static_cast<uint32_t>(kOk.size());
  return {TcpBytes({5000, 80, client_isn, kSyn}),     TcpBytes({80, 5000, server_isn, kSyn | kAck}),
          TcpBytes({5000, 80, c, kAck, kGet}),        TcpBytes({80, 5000, s, kAck, kOk}),
          TcpBytes({5000, 80, c + get, kFin | kAck}), TcpBytes({80, 5000, s + ok, kFin | kAck}),
          TcpBytes({5000, 80, c + get + 1, kAck})};
}

using Wrap = std::function<std::string(std::string_view)>;

std::string Capture(int link_type, const Wrap& wrap, const std::vector<std::string>& segments,
                    bool next_generation = false) {
  PcapWriter writer(static_cast<uint32_t>(link_type), next_generation);
  uint64_t time_us = 1'700'000'000'000'000;
  for (const std::string& segment : segments) writer.Add(time_us += 1000, wrap(segment));
  return writer.bytes();
}

std::string Ethernet(std::string_view tcp) { return EthernetFrame(Ipv4Bytes(tcp)); }

TEST(PcapReader, EveryLinkType) {
  const auto linux_cooked = [](std::string_view tcp) {
    return std::string(14, '\0') + std::string("\x08\0", 2) + Ipv4Bytes(tcp);
  };
  const auto linux_cooked2 = [](std::string_view tcp) {
    return std::string("\x08\0", 2) + std::string(18, '\0') + Ipv4Bytes(tcp);
  };
  const std::vector<std::pair<int, Wrap>> cases = {
      {DLT_EN10MB, Ethernet},
      {DLT_EN10MB, [](std::string_view tcp) { return EthernetFrame(Ipv4Bytes(tcp), true); }},
      {DLT_EN10MB, [](std::string_view tcp) { return EthernetFrame(Ipv6Bytes(tcp)); }},
      {DLT_EN10MB, [](std::string_view tcp) { return EthernetFrame(Ipv6Bytes(tcp, true), true); }},
      {DLT_EN10MB, [](std::string_view tcp) { return Ethernet(tcp) + "padding"; }},
      {113, linux_cooked},
      {276, linux_cooked2},
      {DLT_NULL, [](std::string_view tcp) { return std::string("\2\0\0\0", 4) + Ipv4Bytes(tcp); }},
      {108, [](std::string_view tcp) { return std::string("\0\0\0\2", 4) + Ipv4Bytes(tcp); }},
      {101, [](std::string_view tcp) { return Ipv4Bytes(tcp); }},
      {228, [](std::string_view tcp) { return Ipv4Bytes(tcp); }},
      {229, [](std::string_view tcp) { return Ipv6Bytes(tcp); }},
  };
  for (const auto& [link_type, wrap] : cases) {
    for (const bool next_generation : {false, true}) {
      const Replayed replayed(Capture(link_type, wrap, OneExchange(), next_generation));
      EXPECT_TRUE(replayed.status.ok());
      EXPECT_EQ(replayed.Text(), "GET /a 200 out:2") << link_type << next_generation;
    }
  }
}

TEST(PcapReader, TellsTimesPositionsAndSides) {
  const Replayed replayed(Capture(DLT_EN10MB, Ethernet, OneExchange()));
  ASSERT_EQ(replayed.sink.exchanges.size(), 1U);
  const Exchange& exchange = replayed.sink.exchanges[0];
  EXPECT_EQ(exchange.role, Role::kServer);
  EXPECT_EQ(exchange.tgid(), 0U);
  EXPECT_EQ(exchange.request.first_mono_ns, 1'700'000'000'003'000'000U);
  EXPECT_EQ(exchange.response.last_mono_ns, 1'700'000'000'004'000'000U);
  EXPECT_EQ(exchange.request.first_position, 101U);
  EXPECT_EQ(replayed.sink.infos[0].local.port, 80);
  EXPECT_EQ(replayed.sink.infos[0].remote.AddressText(), "127.0.0.1");
}

TEST(PcapReader, OrderRepetitionAndWrapAround) {
  for (const uint32_t isn : {100U, 0xfffffffeU, 0xfffffff0U}) {
    std::vector<std::string> segments = OneExchange(isn, isn);
    std::swap(segments[2], segments[4]);                 // FIN before its data
    segments.insert(segments.begin() + 5, segments[4]);  // sent again
    EXPECT_EQ(Replayed(Capture(DLT_EN10MB, Ethernet, segments)).Text(), "GET /a 200 out:2") << isn;
  }
}

TEST(PcapReader, AnswerCapturedBeforeItsRequest) {
  std::vector<std::string> segments = OneExchange();
  std::swap(segments[2], segments[3]);
  EXPECT_EQ(Replayed(Capture(DLT_EN10MB, Ethernet, segments)).Text(), "GET /a 200 out:2");
}

TEST(PcapReader, PortsUsedAgain) {
  std::vector<std::string> segments = OneExchange();
  for (const std::string& segment : OneExchange(70'000, 80'000)) segments.push_back(segment);
  const Replayed replayed(Capture(DLT_EN10MB, Ethernet, segments));
  EXPECT_EQ(replayed.Text(), "GET /a 200 out:2\nGET /a 200 out:2");
  EXPECT_NE(replayed.sink.infos[0].id, replayed.sink.infos[1].id);
}

TEST(PcapReader, Reset) {
  std::vector<std::string> segments = OneExchange();
  segments.resize(3);
  segments.push_back(TcpBytes({80, 5000, 901, kRst}));
  EXPECT_EQ(Replayed(Capture(DLT_EN10MB, Ethernet, segments)).Text(), "GET /a - closed");
}

TEST(PcapReader, WithoutHandshakeTheRequestTellsTheServer) {
  std::vector<std::string> segments = {TcpBytes({80, 9000, 1, kAck, kGet}),
                                       TcpBytes({9000, 80, 1, kAck, kOk})};
  const Replayed replayed(Capture(DLT_EN10MB, Ethernet, segments));
  EXPECT_EQ(replayed.Text(), "GET /a 200 out:2");
  EXPECT_EQ(replayed.sink.infos[0].local.port, 9000);
}

TEST(PcapReader, SnapLengthLeavesHoles) {
  const std::string body(1000, 'b');
  const std::string big = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body;
  PcapWriter writer(DLT_EN10MB);
  uint64_t time_us = 1'700'000'000'000'000;
  for (const std::string& segment :
       {TcpBytes({5000, 80, 1, kAck, kGet}), TcpBytes({80, 5000, 1, kAck, big}),
        TcpBytes({5000, 80, 1 + static_cast<uint32_t>(kGet.size()), kAck, kGet}),
        TcpBytes({80, 5000, 1 + static_cast<uint32_t>(big.size()), kAck, kOk})}) {
    writer.Add(time_us += 1000, Ethernet(segment), 128);
  }
  EXPECT_EQ(Replayed(writer.bytes()).Text(), "GET /a 200 out:1000\nGET /a 200 out:2");
}

TEST(PcapReader, WhatIsNoTcpIsCounted) {
  PcapWriter writer(DLT_EN10MB);
  const std::string tcp = TcpBytes({1, 2, 3, kAck, "x"});
  writer.Add(1, EthernetFrame(Ipv4Bytes(tcp, 0x2000)));  // more fragments
  writer.Add(2, EthernetFrame(Ipv4Bytes(tcp, 7)));       // offset
  writer.Add(3, EthernetFrame(Ipv6Bytes(tcp, false, 44)));
  writer.Add(4, EthernetFrame(Ipv4Bytes(tcp, 0, 17)));
  writer.Add(5, std::string(60, '\0'));
  writer.Add(6, EthernetFrame(Ipv4Bytes(tcp)), 40);
  writer.Add(7, "");
  const Replayed replayed(writer.bytes());
  EXPECT_TRUE(replayed.status.ok());
  EXPECT_EQ(replayed.Dropped("packet_fragment"), 3);
  EXPECT_EQ(replayed.Dropped("packet_not_tcp"), 3);
  EXPECT_EQ(replayed.Dropped("packet_cut"), 1);
}

TEST(PcapReader, FileCutOffIsReplayedUpToThere) {
  const std::string bytes = Capture(DLT_EN10MB, Ethernet, OneExchange());
  for (size_t size = 24; size < bytes.size(); ++size) {
    const Replayed replayed(bytes.substr(0, size));
    EXPECT_TRUE(replayed.status.ok());
    EXPECT_LE(replayed.sink.exchanges.size(), 1U);
  }
}

TEST(PcapReader, RefusesWhatIsNoCapture) {
  EXPECT_EQ(Replayed("this is no capture at all, is it?").status.code(),
            absl::StatusCode::kInvalidArgument);
  testing::CollectingSink sink;
  MetricRegistry metrics;
  auto table = connection::ConnectionTable::Create(LimitOptions(), protocol::RegisteredProtocols(),
                                                   sink, sink, metrics)
                   .value();
  EXPECT_EQ(ReplayPcap("/nonexistent/file.pcap", *table, metrics).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sonde::replay
