// SPDX-License-Identifier: Apache-2.0
// Words shared by the files of the HTTP/1 parser (RFC 9110, RFC 9112).
#pragma once

#include <cstdint>

namespace sonde::protocol::http1 {

// How the end of a body is known (RFC 9112 6.3).
enum class Framing : uint8_t {
  kNone,        // no body
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding: chunked
  kUntilClose,  // a response that ends with the connection
  kUnknown,     // contradicting or missing information
};

// What a head says about its body, before method and status are considered.
struct BodyFacts {
  bool has_length = false;
  bool bad_length = false;  // not a number, or two that differ
  bool has_coding = false;  // Transfer-Encoding is present
  bool chunked = false;     // and chunked is its last coding
  uint64_t length = 0;
};

// Where a direction stands. Both directions use the same phases.
//
// Phase       | waits for                                  | then
// ------------|--------------------------------------------|-------------------------------------------
// kSearch     | a record that begins like a message        | kHead
// kHead       | the blank line                             | a body phase; a hole in it: kLost
// kLongHead   | the blank line of a head over the limit    | a body phase
// kLength     | body_end                                   | kHead
// kChunked    | the last chunk and trailers (chunked.h)    | kHead; size line not captured: kLost
// kUntilClose | the end of the stream                      | over
// kLost       | any sign that the body is over             | kHead or kSearch
// In kHead nothing of the message may be there yet: that is the rest between two messages.
enum class Phase : uint8_t { kSearch, kHead, kLongHead, kLength, kChunked, kUntilClose, kLost };

}  // namespace sonde::protocol::http1
