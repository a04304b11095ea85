// SPDX-License-Identifier: Apache-2.0
// Words shared by the files of the HTTP/2 parser (RFC 9113).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sonde::protocol::http2 {

// RFC 9113 6; numbers on the wire.
enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

constexpr uint8_t kFlagEndStream = 0x01;  // DATA, HEADERS
constexpr uint8_t kFlagAck = 0x01;        // SETTINGS, PING
constexpr uint8_t kFlagEndHeaders = 0x04;
constexpr uint8_t kFlagPadded = 0x08;
constexpr uint8_t kFlagPriority = 0x20;

constexpr size_t kFrameHeaderBytes = 9;

// RFC 9113 3.4.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct FrameHeader {
  uint32_t length = 0;
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
  bool reserved = false;  // the bit before the stream id

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  // The frame begins or goes on with a header block.
  bool carries_fields() const {
    return type == FrameType::kHeaders || type == FrameType::kPushPromise ||
           type == FrameType::kContinuation;
  }
};

}  // namespace sonde::protocol::http2
