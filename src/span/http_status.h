// SPDX-License-Identifier: Apache-2.0
// Span status and error.type of an exchange.
#pragma once

#include <string>

#include "sonde/pipeline/exchange.h"

namespace sonde::span {

// error.type, or empty if the request did not fail; a span with one has status Error. The values
// are: the status code (400 and above on clients, 500 and above on servers), the error code of an
// HTTP/2 stream that was reset ("CANCEL"; "stream_reset" if not known) and "connection_closed" for
// a connection that ended before the response did. sonde's own stop or time-out is no error of the
// request.
std::string HttpErrorType(const Exchange& exchange, const HttpExchange& http);

}  // namespace sonde::span
