// SPDX-License-Identifier: Apache-2.0
// OTLP strings are UTF-8, wire bytes are anything: makes text valid and short enough to export.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sonde::span {

// Whether every byte is ASCII; eight bytes at a time, because nearly every value is.
bool IsAscii(std::string_view text);

// Appends `text` to `out` with each malformed sequence replaced by U+FFFD (Unicode 15, 3.9,
// "maximal subpart" practice) and cut after `max_characters` code points (as OpenTelemetry counts
// attribute_value_length_limit).
void AppendUtf8(std::string_view text, size_t max_characters, std::string& out);

}  // namespace sonde::span
