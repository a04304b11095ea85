// SPDX-License-Identifier: Apache-2.0
// Packet captures of any content, as a file and frame by frame: what a frame says lies within it,
// and what a capture opens is closed.
#include <pcap/dlt.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "connection/connection_table.h"
#include "protocol/registry.h"
#include "replay/packet.h"
#include "replay/pcap_reader.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "support/conversation.h"
#include "support/fuzz_input.h"

namespace {

using sonde::testing::Require;

void ParseAsEveryLinkType(std::string_view frame) {
  for (const int link_type : {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_LOOP,
                              DLT_RAW, DLT_IPV4, DLT_IPV6, DLT_IEEE802_11}) {
    sonde::replay::Segment segment;
    if (ParseFrame(link_type, frame, segment) != sonde::replay::FrameKind::kTcp) continue;
    Require(segment.payload.size() <= segment.length);
    Require(segment.source.family == segment.destination.family);
    if (segment.payload.empty()) continue;
    Require(segment.payload.data() >= frame.data() &&
            segment.payload.data() + segment.payload.size() <= frame.data() + frame.size());
  }
}

void Replay(std::string bytes) {
  sonde::LimitOptions limits;
  limits.total_connection_bytes = 64U << 10;
  limits.max_connections = 50;
  sonde::testing::CollectingSink sink;
  sonde::MetricRegistry metrics;
  const auto table = sonde::connection::ConnectionTable::Create(
                         limits, sonde::protocol::RegisteredProtocols(), sink, sink, metrics)
                         .value();
  std::FILE* file = fmemopen(bytes.data(), bytes.size(), "rb");
  Require(file != nullptr);
  const sonde::Status status = sonde::replay::ReplayPcapStream(file, *table, metrics);
  Require(table->buffered_bytes() <= limits.total_connection_bytes);
  Require(table->size() <= limits.max_connections);
  table->Shutdown(0);
  Require(sink.starts.size() == sink.exchanges.size());
  if (!status.ok()) Require(sink.exchanges.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  ParseAsEveryLinkType(input);
  // One frame's worth, behind a capture's file and packet header.
  if (input.size() > 40) ParseAsEveryLinkType(input.substr(40));
  Replay(std::string(input));
  return 0;
}
