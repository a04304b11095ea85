// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/text.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

#include "exporter/utf8.h"

namespace sonde::exporter {
namespace {

constexpr uint64_t kMicro = 1000;
constexpr uint64_t kMilli = 1000 * kMicro;
constexpr uint64_t kSecond = 1000 * kMilli;

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool In(const std::array<Range, N>& ranges, char32_t c) {
  for (const Range& range : ranges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

// C0, DEL, C1; soft hyphen; zero-width and bidirectional marks; line separators; byte order mark;
// tags.
constexpr std::array<Range, 9> kUnsafe{{{0, 0x1f},
                                        {0x7f, 0x9f},
                                        {0xad, 0xad},
                                        {0x61c, 0x61c},
                                        {0x200b, 0x200f},
                                        {0x2028, 0x202e},
                                        {0x2060, 0x206f},
                                        {0xfeff, 0xfeff},
                                        {0xe0000, 0xe0fff}}};
// The large blocks of Unicode's East Asian Width W and F, and emoji.
constexpr std::array<Range, 8> kWide{{{0x1100, 0x115f},
                                      {0x2e80, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0x1f300, 0x1faff},
                                      {0x20000, 0x3fffd}}};
constexpr std::array<Range, 3> kCombining{{{0x300, 0x36f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};

struct Cell {
  std::string_view text;  // into the input, or into `escaped`
  size_t width = 1;
  std::array<char, 12> escaped{};
};

Cell CellOf(std::string_view text, const CodePoint& point) {
  Cell cell;
  if (!point.valid) {
    const int n = std::snprintf(cell.escaped.data(), cell.escaped.size(), "\\x%02x",
                                static_cast<unsigned>(static_cast<uint8_t>(text[0])));
    cell.text = {cell.escaped.data(), static_cast<size_t>(n)};
    cell.width = cell.text.size();
  } else if (In(kUnsafe, point.value)) {
    const char* format = point.value < 0x100 ? "\\x%02x" : "\\u{%x}";
    const int n = std::snprintf(cell.escaped.data(), cell.escaped.size(), format,
                                static_cast<unsigned>(point.value));
    cell.text = {cell.escaped.data(), static_cast<size_t>(n)};
    cell.width = cell.text.size();
  } else {
    cell.text = text.substr(0, point.length);
    if (point.value >= 0x300)
      cell.width = In(kWide, point.value) ? 2 : In(kCombining, point.value) ? 0 : 1;
  }
  return cell;
}

// An ill-formed sequence is shown byte by byte.
CodePoint Next(std::string_view text) {
  CodePoint point = DecodeUtf8(text);
  if (!point.valid) point.length = 1;
  return point;
}

tm LocalTime(uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  localtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

size_t SafeWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = Next(text);
    width += CellOf(text, point).width;
    text.remove_prefix(point.length);
  }
  return width;
}

size_t AppendSafe(std::string& out, std::string_view text, size_t max_width) {
  if (max_width == 0 || text.empty()) return 0;
  size_t width = 0;
  size_t cut_at = out.size();  // where the ellipsis would go, leaving one column for it
  size_t cut_width = 0;
  while (!text.empty()) {
    const CodePoint point = Next(text);
    const Cell cell = CellOf(text, point);
    if (width + cell.width > max_width) {
      out.resize(cut_at);
      out += "…";
      return cut_width + 1;
    }
    out.append(cell.text);
    width += cell.width;
    if (width < max_width) {
      cut_at = out.size();
      cut_width = width;
    }
    text.remove_prefix(point.length);
  }
  return width;
}

std::string FormatDuration(uint64_t ns) {
  if (ns < kMicro) return std::to_string(ns) + " ns";
  std::array<char, 32> text{};
  if (ns >= 60 * kSecond) {
    const uint64_t seconds = ns / kSecond;
    std::snprintf(text.data(), text.size(), "%llum %02us",
                  static_cast<unsigned long long>(seconds / 60),
                  static_cast<unsigned>(seconds % 60));
    return text.data();
  }
  const bool is_micro = ns < kMilli;
  const bool is_milli = !is_micro && ns < kSecond;
  const uint64_t unit = is_micro ? kMicro : is_milli ? kMilli : kSecond;
  const double value = static_cast<double>(ns) / static_cast<double>(unit);
  // Three digits; the bounds keep 9.996 from becoming "10.00".
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  const char* name = is_micro ? "µs" : is_milli ? "ms" : "s";
  std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, name);
  return text.data();
}

std::string FormatTimeOfDay(uint64_t wall_ns) {
  const tm parts = LocalTime(wall_ns);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d:%02d.%03u", parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<unsigned>(wall_ns % kSecond / kMilli));
  return text.data();
}

std::string FormatTimestamp(uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + n, text.size() - n, ".%09uZ",
                static_cast<unsigned>(wall_ns % kSecond));
  return text.data();
}

std::string FormatCount(uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

}  // namespace sonde::exporter
