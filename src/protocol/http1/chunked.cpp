// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/chunked.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/common/text.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {
namespace {

constexpr size_t kMaxLine = 4096;           // a size line with extensions, or a trailer
constexpr size_t kMaxTrailers = 64U << 10;  // all trailer lines

}  // namespace

ChunkWalker::Step ChunkWalker::Walk(StreamView& stream) {
  // kNeedMore stands for "this state is through" between the steps as long as `state_` changed or
  // bytes moved.
  while (true) {
    const State before = state_;
    const uint64_t offset = stream.offset();
    Step step = Step::kNeedMore;
    switch (state_) {
      case State::kSize:
        step = WalkSize(stream);
        break;
      case State::kData:
        if (stream.offset() >= data_end_) state_ = State::kDataEnd;
        break;
      case State::kDataEnd:
        step = WalkDataEnd(stream);
        break;
      case State::kTrailer:
        step = WalkTrailer(stream);
        break;
    }
    if (step != Step::kNeedMore) return step;
    if (state_ == before && stream.offset() == offset) return Step::kNeedMore;
  }
}

ChunkWalker::Line ChunkWalker::FindLine(StreamView& stream, size_t& length) {
  const std::string_view bytes = stream.bytes();
  const size_t newline = bytes.substr(0, kMaxLine).find('\n');
  if (newline != std::string_view::npos) {
    length = newline + 1;
    return Line::kGot;
  }
  return bytes.size() >= kMaxLine || stream.hole() > 0 ? Line::kLost : Line::kNeedMore;
}

ChunkWalker::Step ChunkWalker::WalkSize(StreamView& stream) {
  size_t length = 0;
  const Line found = FindLine(stream, length);
  if (found != Line::kGot) return found == Line::kLost ? Step::kLost : Step::kNeedMore;
  std::string_view line = WithoutCr(stream.bytes().substr(0, length - 1));
  line = TrimBlanks(line.substr(0, line.find(';')));
  const auto size = ParseNumber(line, 16);
  if (!size || *size > INT64_MAX - payload_bytes_) return Step::kLost;
  stream.Consume(length);
  if (*size == 0) {
    state_ = State::kTrailer;
    return Step::kNeedMore;
  }
  payload_bytes_ += *size;
  data_end_ = stream.offset() + *size;
  stream.Skip(*size);
  state_ = State::kData;
  return Step::kNeedMore;
}

ChunkWalker::Step ChunkWalker::WalkDataEnd(StreamView& stream) {
  const std::string_view bytes = stream.bytes();
  if (bytes.empty() && stream.hole() > 0) {
    // The line end was not captured; it is two bytes in all but hand-made traffic.
    stream.Skip(std::min<uint64_t>(2, stream.hole()));
    state_ = State::kSize;
    return Step::kNeedMore;
  }
  if (bytes.empty()) return Step::kNeedMore;
  if (bytes[0] == '\n') {
    stream.Consume(1);
  } else if (bytes[0] != '\r') {
    return Step::kLost;
  } else if (bytes.size() >= 2) {
    if (bytes[1] != '\n') return Step::kLost;
    stream.Consume(2);
  } else if (stream.hole() > 0) {
    stream.Consume(1);
    stream.Skip(1);
  } else {
    return Step::kNeedMore;
  }
  state_ = State::kSize;
  return Step::kNeedMore;
}

ChunkWalker::Step ChunkWalker::WalkTrailer(StreamView& stream) {
  size_t length = 0;
  const Line found = FindLine(stream, length);
  if (found != Line::kGot) return found == Line::kLost ? Step::kLost : Step::kNeedMore;
  const bool blank = WithoutCr(stream.bytes().substr(0, length - 1)).empty();
  trailer_bytes_ += length;
  stream.Consume(length);
  if (blank) return Step::kDone;
  return trailer_bytes_ > kMaxTrailers ? Step::kLost : Step::kNeedMore;
}

}  // namespace sonde::protocol::http1
