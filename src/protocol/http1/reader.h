// SPDX-License-Identifier: Apache-2.0
// Where one direction of an HTTP/1 connection stands: finds the end of heads and bodies. Knows
// nothing of pairing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http1/chunked.h"
#include "protocol/http1/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

class MessageReader {
 public:
  enum class Head : uint8_t {
    kNeedMore,
    kComplete,
    kTooLong,  // no end within the limit
    kCut,      // a hole or the end of the stream stands before its end
  };
  // Looks for the head at the front; `size` is what of it can be parsed.
  Head FindHead(const StreamView& stream, size_t max_head_bytes, size_t& size);

  // The head of `head_size` bytes was parsed: consumes it.
  void TakeHead(StreamView& stream, size_t head_size);
  // Goes on to the body, from the front.
  void BeginBody(StreamView& stream, Framing framing, uint64_t length);
  // The rest of a head over the limit: true at its end.
  bool PassLongHead(StreamView& stream);
  void Lose(bool chunked);

  enum class Body : uint8_t { kNeedMore, kDone, kLost };
  Body ReadBody(StreamView& stream);
  // In kLost: passes one record; true if it ended as a chunked body does.
  bool PassLost(StreamView& stream);

  // The message is over: the next one begins at the front (kHead), or at some later record
  // (kSearch).
  void Rest(Phase phase);
  // The same at some later record, and other messages may have been among what was passed.
  void RestAfterHole();
  // Gives up what is at the front and looks for a message from the next record on.
  void GiveUp(StreamView& stream);

  Phase phase() const { return phase_; }
  bool resting() const { return phase_ == Phase::kHead || phase_ == Phase::kSearch; }
  // Bytes were missed since the last message that was read: another one may have been among them.
  bool after_hole() const { return after_hole_; }
  void set_after_hole(bool value) { after_hole_ = value; }
  // Not later than this; kUntilNext: perhaps right before the next byte that is seen.
  static constexpr uint64_t kUntilNext = UINT64_MAX;
  uint64_t missed_until_ns() const { return missed_until_ns_; }
  uint64_t message_offset() const { return message_offset_; }
  bool size_known() const { return size_known_; }
  uint64_t body_bytes(const StreamView& stream) const;

 private:
  Phase phase_ = Phase::kHead;
  Framing framing_ = Framing::kNone;
  void NoteMissed(const StreamView& stream);

  bool after_hole_ = false;
  uint64_t missed_until_ns_ = 0;
  bool size_known_ = false;
  bool lost_chunked_ = false;
  bool line_blank_ = false;  // kLongHead: nothing but CR since the last LF
  size_t scanned_ = 0;
  uint64_t message_offset_ = 0;
  uint64_t body_offset_ = 0;
  uint64_t body_end_ = 0;
  uint64_t last_bytes_ = 0;  // kLost: the last eight captured bytes, 0 after a hole
  ChunkWalker chunks_;
};

}  // namespace sonde::protocol::http1
