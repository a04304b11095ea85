// SPDX-License-Identifier: Apache-2.0
// The request headers that spans are described by, found in one pass.
#pragma once

#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "span/forwarded.h"

namespace sonde::span {

// Views into the exchange; of repeated headers the first counts.
struct RequestHeaders {
  std::string_view host;
  std::string_view user_agent;
  ForwardingHeaders forwarding;
};

RequestHeaders CollectHeaders(const std::vector<HttpHeader>& headers);

}  // namespace sonde::span
