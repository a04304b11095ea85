// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/frame.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/http2/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {
namespace {

// Frames that lead to each other before a boundary in the middle of bytes is believed: a chance hit
// of one is about 2^-30.
constexpr size_t kEnoughFrames = 3;
constexpr size_t kMaxChain = 16;
// Looked at in one record.
constexpr size_t kSearchBytes = 16U << 10;
// SETTINGS a server begins with: more parameters than are registered would be strange.
constexpr uint32_t kMaxFirstSettings = 20 * 6;

constexpr uint32_t kMaxControlBytes = 16U << 10;

struct Chain {
  size_t frames = 0;
  uint64_t end = 0;  // offset behind the last frame
};

Chain Follow(std::string_view bytes, size_t at) {
  Chain chain{.frames = 0, .end = at};
  while (chain.frames < kMaxChain && chain.end + kFrameHeaderBytes <= bytes.size()) {
    const FrameHeader header = ReadFrameHeader(bytes.substr(chain.end));
    if (!Plausible(header)) return {};
    ++chain.frames;
    chain.end += kFrameHeaderBytes + header.length;
  }
  return chain;
}

bool IsFirstSettings(const FrameHeader& header) {
  return header.type == FrameType::kSettings && header.flags == 0 && header.stream == 0 &&
         !header.reserved && header.length % 6 == 0 && header.length <= kMaxFirstSettings;
}

// The first field of most header blocks: a method, path, scheme or status of the static table.
bool BeginsWithPseudoHeader(const FrameHeader& header, std::string_view payload) {
  const auto block = FieldBlock(header, payload);
  if (!block || block->empty()) return false;
  const auto first = static_cast<uint8_t>(block->front());
  return first >= 0x82 && first <= 0x8e;
}

}  // namespace

uint32_t ReadNumber(std::string_view bytes, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

FrameHeader ReadFrameHeader(std::string_view bytes) {
  const uint32_t stream = ReadNumber(bytes.substr(5), 4);
  return {.length = ReadNumber(bytes, 3),
          .type = static_cast<FrameType>(bytes[3]),
          .flags = static_cast<uint8_t>(bytes[4]),
          .stream = stream & 0x7fffffffU,
          .reserved = (stream >> 31) != 0};
}

bool Valid(const FrameHeader& header) {
  switch (header.type) {
    case FrameType::kData:
      return header.stream != 0 && (!header.has(kFlagPadded) || header.length >= 1);
    case FrameType::kHeaders:
      return header.stream != 0 && header.length >= (header.has(kFlagPadded) ? 1U : 0U) +
                                                        (header.has(kFlagPriority) ? 5U : 0U);
    case FrameType::kContinuation:
      return header.stream != 0;
    case FrameType::kPushPromise:
      return header.stream != 0 && header.length >= (header.has(kFlagPadded) ? 5U : 4U);
    case FrameType::kPriority:
      return header.stream != 0 && header.length == 5;
    case FrameType::kRstStream:
      return header.stream != 0 && header.length == 4;
    case FrameType::kSettings:
      return header.stream == 0 && header.length % 6 == 0 &&
             (!header.has(kFlagAck) || header.length == 0);
    case FrameType::kPing:
      return header.stream == 0 && header.length == 8;
    case FrameType::kGoaway:
      return header.stream == 0 && header.length >= 8;
    case FrameType::kWindowUpdate:
      return header.length == 4;
  }
  return true;
}

bool Plausible(const FrameHeader& header) {
  if (header.reserved || !Valid(header)) return false;
  switch (header.type) {
    case FrameType::kData:
      return (header.flags & ~(kFlagEndStream | kFlagPadded)) == 0;
    case FrameType::kHeaders:
      return (header.flags & ~(kFlagEndStream | kFlagEndHeaders | kFlagPadded | kFlagPriority)) ==
                 0 &&
             header.length > 0 && header.length <= kMaxControlBytes;
    case FrameType::kPushPromise:
      return (header.flags & ~(kFlagEndHeaders | kFlagPadded)) == 0 &&
             header.length <= kMaxControlBytes;
    case FrameType::kContinuation:
      return (header.flags & ~kFlagEndHeaders) == 0 && header.length <= kMaxControlBytes;
    case FrameType::kSettings:
    case FrameType::kPing:
      return (header.flags & ~kFlagAck) == 0 && header.length <= kMaxFirstSettings;
    case FrameType::kPriority:
    case FrameType::kRstStream:
    case FrameType::kWindowUpdate:
      return header.flags == 0;
    case FrameType::kGoaway:
      return header.flags == 0 && header.length <= kMaxControlBytes;
  }
  return false;
}

std::optional<size_t> FindBoundary(std::string_view bytes, bool at_record_start,
                                   uint64_t record_left) {
  const size_t last = std::min(bytes.size(), kSearchBytes);
  for (size_t at = 0; at + kFrameHeaderBytes <= last; ++at) {
    const Chain chain = Follow(bytes, at);
    const bool exact = chain.end == record_left && chain.frames > 0;
    const bool whole_call = exact && at == 0 && at_record_start;
    if (chain.frames >= kEnoughFrames || (exact && chain.frames >= 2) || whole_call) return at;
  }
  return std::nullopt;
}

std::optional<std::string_view> FieldBlock(const FrameHeader& header, std::string_view bytes) {
  bytes = bytes.substr(0, header.length);
  if (header.type == FrameType::kContinuation) return bytes;
  size_t before = 0;
  size_t behind = 0;
  if (header.has(kFlagPadded)) {
    if (bytes.empty()) return bytes;
    behind = static_cast<uint8_t>(bytes.front());
    before = 1;
  }
  if (header.type == FrameType::kPushPromise) before += 4;
  if (header.type == FrameType::kHeaders && header.has(kFlagPriority)) before += 5;
  if (before + behind > header.length) return std::nullopt;
  bytes = bytes.substr(0, header.length - behind);
  return bytes.substr(std::min(before, bytes.size()));
}

Detection DetectFrames(std::string_view bytes) {
  // "PRI * HTTP/2.0" is nothing else already.
  const size_t compared = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, compared) == kPreface.substr(0, compared)) {
    return compared >= 16 ? Detection::kYes : Detection::kNeedMore;
  }
  // Nothing else than a frame of less than 64 KiB begins with a zero.
  if (bytes.front() != 0) return Detection::kNo;
  if (bytes.size() < kFrameHeaderBytes) return Detection::kNeedMore;
  const FrameHeader header = ReadFrameHeader(bytes);
  if (IsFirstSettings(header)) return Detection::kYes;
  const Chain chain = Follow(bytes, 0);
  if (chain.frames >= kEnoughFrames) return Detection::kYes;
  if (chain.frames >= 2 && chain.end == bytes.size()) return Detection::kYes;
  // One frame that is all of a call: chance would have to hit its length, too. An empty DATA frame
  // is nearly nothing but zeros.
  const bool empty = header.type == FrameType::kData && header.length == 0;
  if (chain.frames == 1 && chain.end == bytes.size() && !empty) return Detection::kYes;
  const bool fields = header.type == FrameType::kHeaders && header.has(kFlagEndHeaders);
  if (chain.frames >= 1 && fields && bytes.size() >= kFrameHeaderBytes + header.length &&
      BeginsWithPseudoHeader(header, bytes.substr(kFrameHeaderBytes))) {
    return Detection::kYes;
  }
  return Detection::kNo;
}

}  // namespace sonde::protocol::http2
