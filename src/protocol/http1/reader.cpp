// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http1/parse.h"
#include "protocol/http1/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {
namespace {

// The end of a chunked body without trailers, "\r\n0\r\n\r\n", as it stands in last_bytes_.
constexpr uint64_t kChunkedEnd = 0x0d0a300d0a0d0aULL;
constexpr uint64_t kChunkedEndMask = 0xffffffffffffffULL;

}  // namespace

MessageReader::Head MessageReader::FindHead(const StreamView& stream, size_t max_head_bytes,
                                            size_t& size) {
  const std::string_view bytes = stream.bytes();
  const std::string_view window = bytes.substr(0, max_head_bytes);
  size = FindHeadEnd(window, scanned_);
  if (size > 0) return Head::kComplete;
  size = window.size();
  if (bytes.size() >= max_head_bytes) return Head::kTooLong;
  return stream.hole() > 0 || stream.ended() ? Head::kCut : Head::kNeedMore;
}

void MessageReader::TakeHead(StreamView& stream, size_t head_size) {
  message_offset_ = stream.offset();
  const std::string_view head = stream.bytes().substr(0, head_size);
  // For a head over the limit: does it go on at the start of a line?
  const size_t newline = head.rfind('\n');
  line_blank_ = newline != std::string_view::npos &&
                head.find_first_not_of('\r', newline + 1) == std::string_view::npos;
  phase_ = Phase::kLongHead;
  scanned_ = 0;
  after_hole_ = false;
  size_known_ = false;
  stream.Consume(head_size);
}

bool MessageReader::PassLongHead(StreamView& stream) {
  const std::string_view bytes = stream.bytes();
  size_t passed = 0;
  while (passed < bytes.size()) {
    const size_t newline = bytes.find('\n', passed);
    const size_t end = newline == std::string_view::npos ? bytes.size() : newline;
    if (bytes.substr(passed, end - passed).find_first_not_of('\r') != std::string_view::npos)
      line_blank_ = false;
    passed = newline == std::string_view::npos ? end : end + 1;
    if (newline == std::string_view::npos) break;
    if (line_blank_) {
      stream.Consume(passed);
      return true;
    }
    line_blank_ = true;
  }
  stream.Consume(passed);
  return false;
}

void MessageReader::BeginBody(StreamView& stream, Framing framing, uint64_t length) {
  framing_ = framing;
  body_offset_ = stream.offset();
  size_known_ = true;
  switch (framing) {
    case Framing::kNone:
      length = 0;
      [[fallthrough]];
    case Framing::kLength:
      phase_ = Phase::kLength;
      body_end_ = body_offset_ + length;
      stream.Skip(length);
      return;
    case Framing::kChunked:
      phase_ = Phase::kChunked;
      chunks_.Reset();
      return;
    case Framing::kUntilClose:
      phase_ = Phase::kUntilClose;
      return;
    case Framing::kUnknown:
      Lose(false);
      return;
  }
}

void MessageReader::Lose(bool chunked) {
  phase_ = Phase::kLost;
  lost_chunked_ = chunked;
  size_known_ = false;
  last_bytes_ = 0;
}

MessageReader::Body MessageReader::ReadBody(StreamView& stream) {
  switch (phase_) {
    case Phase::kLength:
      return stream.offset() >= body_end_ ? Body::kDone : Body::kNeedMore;
    case Phase::kChunked:
      switch (chunks_.Walk(stream)) {
        case ChunkWalker::Step::kNeedMore:
          return Body::kNeedMore;
        case ChunkWalker::Step::kDone:
          return Body::kDone;
        case ChunkWalker::Step::kLost:
          Lose(true);
          return Body::kLost;
      }
      return Body::kLost;
    default:
      break;
  }
  stream.Skip(stream.bytes().size() + stream.hole());
  return stream.ended() && stream.empty() ? Body::kDone : Body::kNeedMore;
}

void MessageReader::NoteMissed(const StreamView& stream) {
  const bool lost = stream.bytes().empty() && stream.lost();
  missed_until_ns_ = lost ? kUntilNext : stream.MarkAt(0).mono_ns;
}

bool MessageReader::PassLost(StreamView& stream) {
  if (!stream.empty()) NoteMissed(stream);
  const uint64_t end = stream.offset() + stream.record_left();
  while (stream.offset() < end) {
    const std::string_view bytes = stream.bytes().substr(0, end - stream.offset());
    const std::string_view last = bytes.substr(bytes.size() - std::min<size_t>(bytes.size(), 8));
    for (const char c : last) last_bytes_ = last_bytes_ << 8 | static_cast<uint8_t>(c);
    stream.Consume(bytes.size());
    if (stream.offset() < end && stream.hole() > 0) {
      stream.Skip(std::min(stream.hole(), end - stream.offset()));
      last_bytes_ = 0;
    }
  }
  return lost_chunked_ && (last_bytes_ & kChunkedEndMask) == kChunkedEnd;
}

void MessageReader::Rest(Phase phase) {
  phase_ = phase;
  scanned_ = 0;
}

void MessageReader::RestAfterHole() {
  Rest(Phase::kSearch);
  after_hole_ = true;
}

void MessageReader::GiveUp(StreamView& stream) {
  RestAfterHole();
  if (!stream.empty()) NoteMissed(stream);
  stream.Skip(stream.record_left());
}

uint64_t MessageReader::body_bytes(const StreamView& stream) const {
  if (framing_ == Framing::kChunked) return chunks_.payload_bytes();
  return framing_ == Framing::kUntilClose ? stream.offset() - body_offset_
                                          : body_end_ - body_offset_;
}

}  // namespace sonde::protocol::http1
