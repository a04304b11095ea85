// SPDX-License-Identifier: Apache-2.0
// The TCP segment inside a captured frame. Pure and bounded: frames are hostile input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

// `link_type`: DLT_* of libpcap. Empty: no TCP over IP, a fragment, or cut before the end of the TCP header.
std::optional<Segment> ParseFrame(int link_type, std::string_view frame);

}  // namespace sonde::replay
