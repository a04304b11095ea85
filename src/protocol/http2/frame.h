// SPDX-License-Identifier: Apache-2.0
// Frame headers: pure functions over bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/http2/types.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http2 {

uint32_t ReadNumber(std::string_view bytes, size_t size);

// `bytes` has at least kFrameHeaderBytes.
FrameHeader ReadFrameHeader(std::string_view bytes);

// Could a peer that keeps to RFC 9113 have sent this? Unknown types are extensions and pass.
bool Valid(const FrameHeader& header);
// The same for somebody who does not know whether a frame begins here: only what is in use.
bool Plausible(const FrameHeader& header);

// Where in `bytes` frames begin, judged by headers that lead to each other. `record_left`: bytes
// from the front to the end of the call that moved them. A single header is believed only if its
// frame is all that the call moved.
std::optional<size_t> FindBoundary(std::string_view bytes, bool at_record_start,
                                   uint64_t record_left);

// What a header block in the payload of HEADERS, PUSH_PROMISE or CONTINUATION is, without padding,
// priority and promised stream. Nothing if these contradict the length. `bytes` may hold less than
// the payload.
std::optional<std::string_view> FieldBlock(const FrameHeader& header, std::string_view bytes);

// For the registry: preface, first SETTINGS of a server, or a late attach at frames beyond doubt.
Detection DetectFrames(std::string_view bytes);

}  // namespace sonde::protocol::http2
