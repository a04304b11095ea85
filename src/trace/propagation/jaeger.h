// SPDX-License-Identifier: Apache-2.0
// Jaeger's own format: the header uber-trace-id. Its baggage, uberctx-*, is the span stage's.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

std::optional<HeaderContext> ExtractJaeger(const std::vector<HttpHeader>& headers);

// {trace-id}:{span-id}:{parent-span-id}:{flags}, hexadecimal without leading zeros if the sender
// likes; the colons may be percent-encoded.
std::optional<HeaderContext> ParseUberTraceId(std::string_view value);

}  // namespace sonde::trace
