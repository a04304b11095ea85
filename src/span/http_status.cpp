// SPDX-License-Identifier: Apache-2.0
#include "span/http_status.h"

#include <cstdint>
#include <string>

#include "sonde/pipeline/exchange.h"

namespace sonde::span {

std::string HttpErrorType(const Exchange& exchange, const HttpExchange& http) {
  const uint32_t first_error = exchange.role == Role::kClient ? 400 : 500;
  if (exchange.response.seen && http.response.status >= first_error) {
    return std::to_string(http.response.status);
  }
  return exchange.unfinished == Unfinished::kConnectionClosed ? "connection_closed" : "";
}

}  // namespace sonde::span
