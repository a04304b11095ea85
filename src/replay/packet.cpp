// SPDX-License-Identifier: Apache-2.0
#include "replay/packet.h"

#include <pcap/dlt.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
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
    case DLT_EN10MB:
      return AfterEtherType(frame, 12);
    case DLT_LINUX_SLL:
      return AfterEtherType(frame, 14);
    case DLT_LINUX_SLL2: {
      if (frame.size() < 20) return {};
      const uint16_t type = U16(frame, 0);
      return type == kEtherIpv4 || type == kEtherIpv6 ? frame.substr(20) : std::string_view();
    }
    case DLT_NULL:
    case DLT_LOOP:
      return frame.size() < 4 ? std::string_view() : frame.substr(4);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return frame;
    default:
      return {};
  }
}

struct IpPayload {
  std::string_view captured;
  uint32_t length = 0;  // on the wire
};

void SetAddress(Endpoint& endpoint, uint8_t family, std::string_view bytes) {
  endpoint.family = family;
  endpoint.address = {};
  std::memcpy(endpoint.address.data(), bytes.data(), bytes.size());
}

FrameKind ParseIpv4(std::string_view ip, Segment& segment, IpPayload& payload) {
  if (ip.size() < 20) return FrameKind::kCut;
  const size_t header = size_t{U8(ip, 0) & 15U} * 4;
  if (U8(ip, 9) != kProtocolTcp) return FrameKind::kOther;
  if ((U16(ip, 6) & 0x3fff) != 0) return FrameKind::kFragment;  // offset, or more to come
  uint32_t total = U16(ip, 2);
  if (total == 0) total = static_cast<uint32_t>(ip.size());  // segmentation offload: not filled in
  if (header < 20 || ip.size() < header || total < header) return FrameKind::kCut;
  SetAddress(segment.source, 4, ip.substr(12, 4));
  SetAddress(segment.destination, 4, ip.substr(16, 4));
  payload = {ip.substr(header), static_cast<uint32_t>(total - header)};
  return FrameKind::kTcp;
}

FrameKind ParseIpv6(std::string_view ip, Segment& segment, IpPayload& payload) {
  if (ip.size() < 40) return FrameKind::kCut;
  uint32_t length = U16(ip, 4);
  if (length == 0) length = static_cast<uint32_t>(ip.size() - 40);
  SetAddress(segment.source, 6, ip.substr(8, 16));
  SetAddress(segment.destination, 6, ip.substr(24, 16));
  uint8_t next = U8(ip, 6);
  std::string_view rest = ip.substr(40);
  // Hop-by-hop, routing and destination options (RFC 8200 4) are as long as they say. Bounded:
  // nobody sends more.
  for (int headers = 0; headers < 8; ++headers) {
    if (next == kProtocolTcp) {
      payload = {rest, length};
      return FrameKind::kTcp;
    }
    if (next == 44) return FrameKind::kFragment;
    if (next != 0 && next != 43 && next != 60) return FrameKind::kOther;
    if (rest.size() < 8) return FrameKind::kCut;
    const size_t size = size_t{U8(rest, 1) + 1U} * 8;
    if (rest.size() < size || length < size) return FrameKind::kCut;
    next = U8(rest, 0);
    rest.remove_prefix(size);
    length -= static_cast<uint32_t>(size);
  }
  return FrameKind::kOther;
}

FrameKind ParseTcp(const IpPayload& tcp, Segment& segment) {
  if (tcp.captured.size() < 20) return FrameKind::kCut;
  const size_t header = size_t{U8(tcp.captured, 12)} / 16 * 4;
  if (header < 20 || tcp.captured.size() < header || tcp.length < header) return FrameKind::kCut;
  segment.source.port = U16(tcp.captured, 0);
  segment.destination.port = U16(tcp.captured, 2);
  segment.sequence = U32(tcp.captured, 4);
  const uint8_t flags = U8(tcp.captured, 13);
  segment.fin = (flags & 1) != 0;
  segment.syn = (flags & 2) != 0;
  segment.rst = (flags & 4) != 0;
  segment.ack = (flags & 16) != 0;
  segment.length = static_cast<uint32_t>(tcp.length - header);
  // Behind the IP packet there may be padding of the link.
  segment.payload = tcp.captured.substr(header, segment.length);
  return FrameKind::kTcp;
}

}  // namespace

FrameKind ParseFrame(int link_type, std::string_view frame, Segment& segment) {
  const std::string_view ip = IpPacket(link_type, frame);
  if (ip.empty()) return FrameKind::kOther;
  IpPayload tcp;
  FrameKind kind = FrameKind::kOther;
  const int version = U8(ip, 0) >> 4;
  if (version == 4) kind = ParseIpv4(ip, segment, tcp);
  if (version == 6) kind = ParseIpv6(ip, segment, tcp);
  return kind == FrameKind::kTcp ? ParseTcp(tcp, segment) : kind;
}

}  // namespace sonde::replay
