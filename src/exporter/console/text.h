// SPDX-License-Identifier: Apache-2.0
// Strangers' text made fit for a terminal, and the words for times and durations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::exporter {

// Appends `text` with control, bidirectional and invisible characters shown as \xNN or \u{NNNN} (a
// terminal would obey them: that is an injection), cut to `max_width` columns with an ellipsis.
// Returns the columns used.
size_t AppendSafe(std::string& out, std::string_view text, size_t max_width = SIZE_MAX);

// Columns that AppendSafe would use without a limit.
size_t SafeWidth(std::string_view text);

// "812 ns", "12.3 µs", "42.1 ms", "1.24 s", "2m 03s".
std::string FormatDuration(uint64_t ns);

// Local time of day, "12:04:05.123".
std::string FormatTimeOfDay(uint64_t wall_ns);

// UTC, "2026-11-21T12:04:05.123456789Z" (RFC 3339).
std::string FormatTimestamp(uint64_t wall_ns);

// "1,240".
std::string FormatCount(uint64_t count);

}  // namespace sonde::exporter
