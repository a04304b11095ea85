// SPDX-License-Identifier: Apache-2.0
// Makes packet captures for tests, byte by byte: TCP segments in IPv4 or IPv6, in frames of any
// supported link type, in a pcap or pcapng file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::testing {

inline void Put16(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value >> 8 & 255));
  out.push_back(static_cast<char>(value & 255));
}
inline void Put32(std::string& out, uint32_t value) {
  Put16(out, value >> 16);
  Put16(out, value & 0xffff);
}
inline void PutLittle32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>(value >> shift & 255));
}

constexpr unsigned kFin = 1;
constexpr unsigned kSyn = 2;
constexpr unsigned kRst = 4;
constexpr unsigned kAck = 16;

struct TestSegment {
  uint16_t source = 0;
  uint16_t destination = 0;
  uint32_t sequence = 0;
  unsigned flags = kAck;
  std::string_view payload = {};
};

inline std::string TcpBytes(const TestSegment& segment) {
  std::string out;
  Put16(out, segment.source);
  Put16(out, segment.destination);
  Put32(out, segment.sequence);
  Put32(out, 0);
  Put16(out, 0x5000U | segment.flags);
  Put16(out, 1000);
  Put32(out, 0);
  return out.append(segment.payload);
}

// The address says nothing about the end: both ends are the loopback.
inline std::string Ipv4Bytes(std::string_view payload, unsigned fragment = 0,
                             uint8_t protocol = 6) {
  std::string out = "\x45";
  out.push_back(0);
  Put16(out, static_cast<unsigned>(20 + payload.size()));
  Put16(out, 0);
  Put16(out, fragment);
  out.push_back(64);
  out.push_back(static_cast<char>(protocol));
  Put16(out, 0);
  Put32(out, 0x7f000001);
  Put32(out, 0x7f000001);
  return out.append(payload);
}

// `extension`: type of a destination options header before the payload, 0 = none.
inline std::string Ipv6Bytes(std::string_view payload, bool options = false, uint8_t next = 6) {
  std::string rest;
  if (options) {
    rest.push_back(static_cast<char>(next));
    rest.push_back(0);
    rest.append(6, '\0');
  }
  rest.append(payload);
  std::string out;
  Put32(out, 0x60000000);
  Put16(out, static_cast<unsigned>(rest.size()));
  out.push_back(options ? 60 : static_cast<char>(next));
  out.push_back(64);
  for (int i = 0; i < 2; ++i) out.append(15, '\0').push_back(1);
  return out.append(rest);
}

inline std::string EthernetFrame(std::string_view ip, bool vlan = false) {
  std::string out(12, '\0');
  if (vlan) {
    Put16(out, 0x8100);
    Put16(out, 42);
  }
  Put16(out, static_cast<uint8_t>(ip[0]) >> 4 == 6 ? 0x86dd : 0x0800);
  return out.append(ip);
}

class PcapWriter {
 public:
  explicit PcapWriter(uint32_t link_type, bool next_generation = false)
      : next_generation_(next_generation) {
    if (next_generation_) {
      Block(0x0a0d0d0a, std::string("\x4d\x3c\x2b\x1a\x01\0\0\0", 8) + std::string(8, '\xff'));
      std::string interface;
      PutLittle32(interface, link_type);
      PutLittle32(interface, 65535);
      Block(1, interface);
      return;
    }
    for (const uint32_t word : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, link_type})
      PutLittle32(bytes_, word);
  }

  // `captured`: how much of the frame is in the file.
  void Add(uint64_t time_us, std::string_view frame, size_t captured = SIZE_MAX) {
    const std::string_view kept = frame.substr(0, captured);
    if (next_generation_) {
      std::string block(4, '\0');
      PutLittle32(block, static_cast<uint32_t>(time_us >> 32));
      PutLittle32(block, static_cast<uint32_t>(time_us));
      PutLittle32(block, static_cast<uint32_t>(kept.size()));
      PutLittle32(block, static_cast<uint32_t>(frame.size()));
      block.append(kept);
      block.append((4 - block.size() % 4) % 4, '\0');
      Block(6, block);
      return;
    }
    PutLittle32(bytes_, static_cast<uint32_t>(time_us / 1'000'000));
    PutLittle32(bytes_, static_cast<uint32_t>(time_us % 1'000'000));
    PutLittle32(bytes_, static_cast<uint32_t>(kept.size()));
    PutLittle32(bytes_, static_cast<uint32_t>(frame.size()));
    bytes_.append(kept);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  void Block(uint32_t type, std::string_view body) {
    const auto length = static_cast<uint32_t>(body.size() + 12);
    PutLittle32(bytes_, type);
    PutLittle32(bytes_, length);
    bytes_.append(body);
    PutLittle32(bytes_, length);
  }

  bool next_generation_;
  std::string bytes_;
};

}  // namespace sonde::testing
