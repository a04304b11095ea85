// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context: the headers traceparent and tracestate.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

// None if there is no traceparent, more than one, or one that the recommendation calls invalid. A
// bad tracestate alone never costs the parent: it is left out.
std::optional<HeaderContext> ExtractW3c(const std::vector<HttpHeader>& headers);

// One traceparent value, without surrounding white space.
std::optional<HeaderContext> ParseTraceparent(std::string_view value);

// The combined tracestate in normal form, shortened to 512 characters as section 3.3.1.5 says
// (entries above 128 characters go first, then the last ones); empty if any member is malformed, a
// key occurs twice, or there are more than 32.
std::string ParseTracestate(const std::vector<std::string_view>& values);

}  // namespace sonde::trace
