// SPDX-License-Identifier: Apache-2.0
#include "span/http_status.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/pipeline/exchange.h"

namespace sonde::span {

namespace {

// RFC 9113 7, by code.
constexpr auto kResetNames = std::to_array<std::string_view>(
    {"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
     "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
     "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"});

std::string ResetName(uint32_t code) {
  return std::string(code < kResetNames.size() ? kResetNames[code] : "stream_reset");
}

}  // namespace

std::string HttpErrorType(const Exchange& exchange, const HttpExchange& http) {
  const uint32_t first_error = exchange.role == Role::kClient ? 400 : 500;
  if (exchange.response.seen && http.response.status >= first_error) {
    return std::to_string(http.response.status);
  }
  if (http.reset) return ResetName(http.reset_code);
  return exchange.unfinished == Unfinished::kConnectionClosed ? "connection_closed" : "";
}

}  // namespace sonde::span
