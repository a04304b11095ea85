// SPDX-License-Identifier: Apache-2.0
#include "replay/packet.h"

#include <pcap/dlt.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "sonde/pipeline/event.h"

namespace sonde::replay {
namespace {

constexpr uint16_t kEtherIpv4 = 0x0800;
constexpr uint16_t kEtherIpv6 = 0x86dd;
constexpr uint8_t kProtocolTcp = 6;

uint8_t U8(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
uint16_t U16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(U8(bytes, at) << 8 | U8(bytes, at + 1));
}
uint32_t U32(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(U16(bytes, at)) << 16 | U16(bytes, at + 2);
}

// The IP packet behind a link header with its EtherType at `type_at`; VLAN tags are passed over.
std::string_view AfterEtherType(std::string_view frame, size_t type_at) {
  for (int tags = 0; tags < 4 && frame.size() >= type_at + 2; ++tags) {
    const uint16_t type = U16(frame, type_at);
    if (type == kEtherIpv4 || type == kEtherIpv6) return frame.substr(type_at + 2);
    if (type != 0x8100 && type != 0x88a8 && type != 0x9100) return {};
    type_at += 4;
  }
  return {};
}

std::string_view IpPacket(int link_type, std::string_view frame) {
  switch (link_type) {
    case DLT_EN10MB: return AfterEtherType(frame, 12);
    case DLT_LINUX_SLL: return AfterEtherType(frame, 14);
    case DLT_LINUX_SLL2: {
      if (frame.size() < 20) return {};
      const uint16_t type = U16(frame, 0);
      return type == kEtherIpv4 || type == kEtherIpv6 ? frame.substr(20) : std::string_view();
    }
    case DLT_NULL:
    case DLT_LOOP: return frame.size() < 4 ? std::string_view() : frame.substr(4);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6: return frame;
    default: return {};
  }
}

struct IpPayload {
  std::string_view captured;
  uint32_t length = 0;  // on the wire
};

void SetAddress(Endpoint& endpoint, uint8_t family, std::string_view bytes) {
  endpoint.family = family;
  std::memcpy(endpoint.address.data(), bytes.data(), bytes.size());
}

std::optional<IpPayload> ParseIpv4(std::string_view ip, Segment& segment) {
  if (ip.size() < 20) return std::nullopt;
  const size_t header = (U8(ip, 0) & 15U) * 4U;
  const uint16_t fragment = U16(ip, 6);
  if (header < 20 || ip.size() < header || U8(ip, 9) != kProtocolTcp || (fragment & 0x3fff) != 0) return std::nullopt;
  uint32_t total = U16(ip, 2);
  if (total == 0) total = static_cast<uint32_t>(ip.size());  // segmentation offload: not filled in yet
  if (total < header) return std::nullopt;
  SetAddress(segment.source, 4, ip.substr(12, 4));
  SetAddress(segment.destination, 4, ip.substr(16, 4));
  return IpPayload{ip.substr(header), static_cast<uint32_t>(total - header)};
}

std::optional<IpPayload> ParseIpv6(std::string_view ip, Segment& segment) {
  if (ip.size() < 40) return std::nullopt;
  uint32_t length = U16(ip, 4);
  if (length == 0) length = static_cast<uint32_t>(ip.size() - 40);
  SetAddress(segment.source, 6, ip.substr(8, 16));
  SetAddress(segment.destination, 6, ip.substr(24, 16));
  uint8_t next = U8(ip, 6);
  std::string_view rest = ip.substr(40);
  // Hop-by-hop, routing and destination options are as long as they say; a fragment is not put together here.
  for (int headers = 0; headers < 8; ++headers) {
    if (next == kProtocolTcp) return IpPayload{rest, length};
    if ((next != 0 && next != 43 && next != 60) || rest.size() < 8) return std::nullopt;
    const size_t size = (U8(rest, 1) + 1U) * 8U;
    if (rest.size() < size || length < size) return std::nullopt;
    next = U8(rest, 0);
    rest.remove_prefix(size);
    length -= static_cast<uint32_t>(size);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Segment> ParseFrame(int link_type, std::string_view frame) {
  const std::string_view ip = IpPacket(link_type, frame);
  if (ip.empty()) return std::nullopt;
  Segment segment;
  const int version = U8(ip, 0) >> 4;
  std::optional<IpPayload> tcp;
  if (version == 4) tcp = ParseIpv4(ip, segment);
  if (version == 6) tcp = ParseIpv6(ip, segment);
  if (!tcp || tcp->captured.size() < 20) return std::nullopt;
  const size_t header = (U8(tcp->captured, 12) >> 4) * 4U;
  if (header < 20 || tcp->captured.size() < header || tcp->length < header) return std::nullopt;
  segment.source.port = U16(tcp->captured, 0);
  segment.destination.port = U16(tcp->captured, 2);
  segment.sequence = U32(tcp->captured, 4);
  const uint8_t flags = U8(tcp->captured, 13);
  segment.fin = (flags & 1) != 0;
  segment.syn = (flags & 2) != 0;
  segment.rst = (flags & 4) != 0;
  segment.ack = (flags & 16) != 0;
  segment.length = static_cast<uint32_t>(tcp->length - header);
  segment.payload = tcp->captured.substr(header, std::min<size_t>(segment.length, tcp->captured.size() - header));
  return segment;
}

}  // namespace sonde::replay
