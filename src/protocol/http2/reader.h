// SPDX-License-Identifier: Apache-2.0
// Where one direction of an HTTP/2 connection stands: finds frames, walks over what is not wanted
// of them by their length, and finds their boundaries again after a loss. Knows nothing of streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http2/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

// A frame at the front of the stream. `payload` begins with what was captured of it, which is all
// of it unless `cut`.
struct Frame {
  FrameHeader header;
  std::string_view payload;
  bool cut = false;
};

class FrameReader {
 public:
  // State  | waits for                                | then
  // -------|------------------------------------------|-----------------------------------
  // kStart | preface, or SETTINGS of a server         | kFrame; something else: kSearch
  // kFrame | a frame header, and the payload if it is | kPayload
  //        | wanted; header not captured: kSearch     |
  // kPayload | the end of the frame                   | kFrame
  // kSearch | frame headers that lead to each other   | kFrame
  enum class Step : uint8_t {
    kNeedMore,
    kOpening,  // preface passed: this side sends the requests
    kFrame,    // `frame` stands at the front: look at it, then Take
    kEnd,      // the frame that was taken has passed
    kPassed,   // bytes were given up in search of a frame
    kLost,     // the boundary of frames was lost in a hole
    kInvalid,  // what should be a frame header is none
  };
  Step Next(StreamView& stream, size_t max_payload, Frame& frame);
  // Passes over the frame that Next returned.
  void Take(StreamView& stream, const Frame& frame);

  // The frame that was taken has passed; says so once.
  bool Ended(const StreamView& stream);

  // The stream stands before a frame.
  void ExpectFrame() { state_ = State::kFrame; }

  // Frames are in step: nothing is missing since the last one.
  bool in_step() const { return state_ == State::kFrame || state_ == State::kPayload; }
  // Nothing of a frame was taken.
  bool between_frames() const { return state_ != State::kPayload; }

 private:
  enum class State : uint8_t { kStart, kFrame, kPayload, kSearch };

  Step Begin(StreamView& stream);
  Step Search(StreamView& stream);
  Step ReadFrame(StreamView& stream, size_t max_payload, Frame& frame);

  State state_ = State::kStart;
  uint64_t frame_end_ = 0;  // offset
};

}  // namespace sonde::protocol::http2
