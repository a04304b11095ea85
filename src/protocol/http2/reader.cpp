// SPDX-License-Identifier: Apache-2.0
#include "protocol/http2/reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http2/frame.h"
#include "protocol/http2/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {
namespace {

// As much as the kernel copies (SONDE_DATA_BYTES in wire/frame_walk.h).
constexpr uint32_t kDataBytes = 6;

// Control frames whose payload says something to an observer, and how much of it.
size_t WantedPayload(const FrameHeader& header, size_t max_payload) {
  if (header.carries_fields()) return std::min<size_t>(header.length, max_payload);
  if (header.type == FrameType::kRstStream) return 4;
  if (header.type == FrameType::kGoaway) return 8;
  // The pad length, and the beginning of a message that is framed within the body.
  if (header.type == FrameType::kData) return std::min(header.length, kDataBytes);
  return 0;
}

// A program may read each frame in two calls, its header and its payload (Go's server does).
bool IsHeaderAlone(std::string_view bytes, const StreamView& stream) {
  if (!stream.at_record_start() || stream.record_left() != kFrameHeaderBytes ||
      bytes.size() < kFrameHeaderBytes) {
    return false;
  }
  const FrameHeader header = ReadFrameHeader(bytes);
  return header.type == FrameType::kHeaders && Plausible(header);
}

}  // namespace

FrameReader::Step FrameReader::Next(StreamView& stream, size_t max_payload, Frame& frame) {
  if (state_ == State::kPayload) {
    if (!Ended(stream)) return Step::kNeedMore;
    return Step::kEnd;
  }
  if (state_ == State::kStart) {
    const Step step = Begin(stream);
    if (state_ == State::kStart || step != Step::kPassed) return step;
  }
  if (state_ == State::kSearch) {
    const Step step = Search(stream);
    if (state_ == State::kSearch || step != Step::kFrame) return step;
  }
  return ReadFrame(stream, max_payload, frame);
}

bool FrameReader::Ended(const StreamView& stream) {
  if (state_ != State::kPayload || stream.offset() < frame_end_) return false;
  state_ = State::kFrame;
  return true;
}

FrameReader::Step FrameReader::Begin(StreamView& stream) {
  const std::string_view bytes = stream.bytes();
  const bool may_grow = stream.hole() == 0 && !stream.ended();
  if (bytes.empty()) {
    if (stream.hole() == 0) return Step::kNeedMore;
    state_ = State::kSearch;
    return Step::kLost;
  }
  const size_t compared = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, compared) == kPreface.substr(0, compared)) {
    if (compared < kPreface.size()) {
      if (may_grow) return Step::kNeedMore;
      state_ = State::kSearch;
      return Step::kLost;
    }
    stream.Consume(compared);
    state_ = State::kFrame;
    return Step::kOpening;
  }
  if (stream.begin_known()) {
    if (bytes.size() < kFrameHeaderBytes && may_grow) return Step::kNeedMore;
    if (bytes.size() >= kFrameHeaderBytes) {
      const FrameHeader header = ReadFrameHeader(bytes);
      if (header.type == FrameType::kSettings && Plausible(header)) {
        state_ = State::kFrame;
        return Step::kPassed;
      }
    }
  }
  state_ = State::kSearch;
  return Step::kPassed;
}

FrameReader::Step FrameReader::Search(StreamView& stream) {
  const std::string_view bytes = stream.bytes();
  if (bytes.empty()) {
    if (stream.hole() == 0) return Step::kNeedMore;
    stream.Skip(stream.hole());
    return Step::kPassed;
  }
  if (IsHeaderAlone(bytes, stream)) {
    const size_t whole = kFrameHeaderBytes + ReadFrameHeader(bytes).length;
    if (bytes.size() < whole && stream.hole() == 0 && !stream.ended()) return Step::kNeedMore;
    // The next call moved what the header announced, and no more.
    if (bytes.size() == whole) {
      state_ = State::kFrame;
      return Step::kFrame;
    }
  }
  const auto at = FindBoundary(bytes, stream.at_record_start(), stream.record_left());
  if (!at) {
    stream.Skip(std::max<uint64_t>(1, stream.record_left()));
    return Step::kPassed;
  }
  state_ = State::kFrame;
  if (*at == 0) return Step::kFrame;
  stream.Consume(*at);
  return Step::kPassed;
}

FrameReader::Step FrameReader::ReadFrame(StreamView& stream, size_t max_payload, Frame& frame) {
  const std::string_view bytes = stream.bytes();
  const bool may_grow = stream.hole() == 0 && !stream.ended();
  if (bytes.size() < kFrameHeaderBytes) {
    if (may_grow || stream.empty()) return Step::kNeedMore;
    state_ = State::kSearch;
    stream.Skip(bytes.size() + stream.hole());
    return Step::kLost;
  }
  frame.header = ReadFrameHeader(bytes);
  if (!Valid(frame.header)) {
    state_ = State::kSearch;
    stream.Consume(1);
    return Step::kInvalid;
  }
  const size_t wanted = WantedPayload(frame.header, max_payload);
  const std::string_view payload = bytes.substr(kFrameHeaderBytes);
  if (payload.size() < wanted && may_grow) return Step::kNeedMore;
  // Of DATA more may be at hand by chance: a small call is captured whole.
  const bool data = frame.header.type == FrameType::kData;
  frame.payload = payload.substr(0, data ? frame.header.length : wanted);
  frame.cut = frame.payload.size() < wanted ||
              (frame.header.carries_fields() && wanted < frame.header.length);
  return Step::kFrame;
}

void FrameReader::Take(StreamView& stream, const Frame& frame) {
  frame_end_ = stream.offset() + kFrameHeaderBytes + frame.header.length;
  state_ = State::kPayload;
  stream.Skip(kFrameHeaderBytes + frame.header.length);
}

}  // namespace sonde::protocol::http2
