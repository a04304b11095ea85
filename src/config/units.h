// SPDX-License-Identifier: Apache-2.0
// Numbers with units, as people write them: "500ms", "8MiB". Strict: the whole text, no sign, no
// overflow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sonde/config/config.h"

namespace sonde::config {

// Decimal digits only.
std::optional<uint64_t> ParseUnsigned(std::string_view text);

// "250ms", "5s", "1.5m", "2h". Without a unit only if bare_ms, and then milliseconds. Up to 100
// days.
std::optional<Milliseconds> ParseDuration(std::string_view text, bool bare_ms);
std::string FormatDuration(Milliseconds value);

// "4096", "64KiB", "8MiB", "1GiB"; also kB, MB, GB for powers of ten.
std::optional<uint64_t> ParseSize(std::string_view text);
std::string FormatSize(uint64_t bytes);

// "0.25", "1"; what OpenTelemetry's sampler ratio takes.
std::optional<double> ParseNumber(std::string_view text);
std::string FormatNumber(double value);

}  // namespace sonde::config
