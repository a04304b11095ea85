// SPDX-License-Identifier: Apache-2.0
#include "config/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sonde/config/config.h"

namespace sonde::config {
namespace {

using Unit = std::pair<std::string_view, uint64_t>;

constexpr std::array<Unit, 5> kTimeUnits{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 9> kSizeUnits{{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1U << 10},
                                          {"MiB", 1U << 20},
                                          {"GiB", 1U << 30},
                                          {"kB", 1000},
                                          {"KB", 1000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000}}};
constexpr double kMaxDurationMs = 100.0 * 86'400'000;
constexpr double kMaxSizeBytes = 1024.0 * (1ULL << 40);

// The product, if it is a whole number up to `max`: 1.1 s is 1100 ms although 1.1 * 1000 is not
// quite.
std::optional<uint64_t> Whole(double value, uint64_t factor, double max) {
  const double total = value * static_cast<double>(factor);
  const double whole = std::round(total);
  if (total > max || std::abs(total - whole) > 1e-6) return std::nullopt;
  return static_cast<uint64_t>(whole);
}

// Splits "12.5ms" into number and unit.
std::pair<std::string_view, std::string_view> Split(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
  return {text.substr(0, end), text.substr(end)};
}

}  // namespace

std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::string FormatNumber(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? std::string(text.data(), end) : std::string("0");
}

std::optional<Milliseconds> ParseDuration(std::string_view text, bool bare_ms) {
  const auto [number, unit] = Split(text);
  const auto value = ParseNumber(number);
  if (!value) return std::nullopt;
  for (const auto& [name, factor] : kTimeUnits) {
    if (unit != name && !(bare_ms && unit.empty() && factor == 1)) continue;
    const auto total = Whole(*value, factor, kMaxDurationMs);
    if (!total) return std::nullopt;
    return Milliseconds(static_cast<int64_t>(*total));
  }
  return std::nullopt;
}

std::string FormatDuration(Milliseconds value) {
  const auto count = static_cast<uint64_t>(value.count());
  for (size_t i = kTimeUnits.size() - 1; i > 0; --i) {
    const auto& [name, factor] = kTimeUnits[i];
    if (count != 0 && count % factor == 0) {
      return std::to_string(count / factor) + std::string(name);
    }
  }
  return std::to_string(count) + "ms";
}

std::optional<uint64_t> ParseSize(std::string_view text) {
  const auto [number, unit] = Split(text);
  const auto value = ParseNumber(number);
  if (!value) return std::nullopt;
  for (const auto& [name, factor] : kSizeUnits) {
    if (unit == name) return Whole(*value, factor, kMaxSizeBytes);
  }
  return std::nullopt;
}

std::string FormatSize(uint64_t bytes) {
  for (const size_t i : {size_t{4}, size_t{3}, size_t{2}}) {
    const auto& [name, factor] = kSizeUnits[i];
    if (bytes != 0 && bytes % factor == 0) {
      return std::to_string(bytes / factor) + std::string(name);
    }
  }
  return std::to_string(bytes);
}

}  // namespace sonde::config
