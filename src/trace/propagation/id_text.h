// SPDX-License-Identifier: Apache-2.0
// What the formats besides W3C's share: ids as other vendors write them, and headers that stand
// once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::trace {

// The value of the header; none if there is no such header, or several that differ.
std::optional<std::string_view> OnlyValue(const std::vector<HttpHeader>& headers,
                                          std::string_view name);

// Takes the text up to the separator off `rest`, and the separator; all of it if there is none.
std::string_view TakeField(std::string_view& rest, char separator);
std::string_view TrimSpace(std::string_view text);

// Hexadecimal, in either case, padded with zeros on the left; at least `min_digits` and at most as
// many as the id has. All zero is no id.
std::optional<TraceId> PaddedTraceId(std::string_view hex, size_t min_digits);
std::optional<SpanId> PaddedSpanId(std::string_view hex, size_t min_digits);

// A decimal number of 64 bits, not 0, as the low half of the trace id or as the span id.
std::optional<uint64_t> DecimalId(std::string_view text);
TraceId TraceIdFrom(uint64_t high, uint64_t low);
SpanId SpanIdFrom(uint64_t number);

}  // namespace sonde::trace
