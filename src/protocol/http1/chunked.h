// SPDX-License-Identifier: Apache-2.0
// Walks a chunked body (RFC 9112 7.1) from size line to size line without touching the data between
// them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

class ChunkWalker {
 public:
  enum class Step : uint8_t {
    kNeedMore,
    kDone,  // trailers included
    kLost,  // a size line was not captured, or is none
  };

  Step Walk(StreamView& stream);
  void Reset() { *this = ChunkWalker(); }
  uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  enum class State : uint8_t { kSize, kData, kDataEnd, kTrailer };
  enum class Line : uint8_t { kNeedMore, kGot, kLost };

  Line FindLine(StreamView& stream, size_t& length);
  Step WalkSize(StreamView& stream);
  Step WalkDataEnd(StreamView& stream);
  Step WalkTrailer(StreamView& stream);

  State state_ = State::kSize;
  uint64_t data_end_ = 0;  // offset
  uint64_t payload_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace sonde::protocol::http1
