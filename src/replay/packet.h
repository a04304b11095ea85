// SPDX-License-Identifier: Apache-2.0
// The TCP segment inside a captured frame. Pure and bounded: frames are hostile input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sonde/pipeline/event.h"

namespace sonde::replay {

struct Segment {
  Endpoint source;
  Endpoint destination;
  uint32_t sequence = 0;
  bool syn = false;
  bool ack = false;
  bool fin = false;
  bool rst = false;
  uint32_t length = 0;       // payload as it was on the wire
  std::string_view payload;  // as far as captured
};

enum class FrameKind : uint8_t {
  kTcp,
  kOther,     // no TCP over IP, or a link type that is not known
  kFragment,  // of an IP packet: not put together here
  kCut,       // captured or sent too short for its own headers
};

// `link_type`: DLT_* of libpcap. `segment` is meaningful if the answer is kTcp; its payload is a
// view into `frame`.
FrameKind ParseFrame(int link_type, std::string_view frame, Segment& segment);

}  // namespace sonde::replay
