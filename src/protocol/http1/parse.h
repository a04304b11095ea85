// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP/1 messages: pure functions over bytes. Liberal in content, strict in length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/http1/types.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::protocol::http1 {

// Header fields kept per message; further ones still count for framing.
constexpr size_t kMaxHeaders = 512;

// Does a message begin with these bytes, beyond doubt? kYes for a known method and the '/' of its
// target, or for a word in capitals with a whole request line; a status line needs "HTTP/1." and
// its three digits.
Detection LooksLikeRequest(std::string_view bytes);
Detection LooksLikeResponse(std::string_view bytes);

// RFC 9112 2.2: bytes of the empty lines at the front, which are ignored before a request.
size_t EmptyLines(std::string_view bytes);

// Size of the head with its blank line, 0 if its end is not in `bytes`. `scanned` remembers between
// calls how far there is no need to look again.
size_t FindHeadEnd(std::string_view bytes, size_t& scanned);

struct HeadResult {
  bool valid = false;      // the start line was understood
  bool truncated = false;  // fields were left out (kMaxHeaders, or a cut line)
  BodyFacts body;
};

// `complete`: false if `head` was cut, its last line is then no line.
HeadResult ParseRequestHead(std::string_view head, bool complete, HttpRequest& request);
HeadResult ParseResponseHead(std::string_view head, bool complete, HttpResponse& response);

// Status of a response's first bytes, 0 if not there.
uint32_t PeekStatus(std::string_view bytes);

Framing RequestFraming(const BodyFacts& body);
// `head_method`: the request was HEAD.
Framing ResponseFraming(const BodyFacts& body, uint32_t status, bool head_method);

}  // namespace sonde::protocol::http1
