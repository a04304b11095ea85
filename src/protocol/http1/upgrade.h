// SPDX-License-Identifier: Apache-2.0
// The way from HTTP/1.1 to HTTP/2 without TLS (RFC 7540 3.2): pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"

namespace sonde::protocol::http1 {

// An Upgrade header names h2c: of a request, a wish; of a 101 response, what is done.
bool NamesHttp2(const std::vector<HttpHeader>& headers);

// Does what a client sends first in HTTP/2 begin with, or with all of, `bytes`?
bool LooksLikePreface(std::string_view bytes);

}  // namespace sonde::protocol::http1
