// SPDX-License-Identifier: Apache-2.0
// Text helpers for protocols with ASCII lines. Bounded, no locale.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::protocol {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsBlank(char c) { return c == ' ' || c == '\t'; }
constexpr char ToLower(char c) { return IsUpper(c) ? static_cast<char>(c | 0x20) : c; }

// RFC 9110 5.6.2: what methods and header names are made of.
constexpr bool IsTokenChar(char c) {
  if (IsDigit(c) || IsUpper(c) || (c >= 'a' && c <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
constexpr std::array<bool, 256> kIsToken = [] {
  std::array<bool, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = i < 128 && IsTokenChar(static_cast<char>(i));
  return table;
}();
inline bool IsToken(char c) { return kIsToken[static_cast<uint8_t>(c)]; }

inline std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Without its line end: LF, or CR LF.
inline std::string_view WithoutCr(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

inline bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (ToLower(text[i]) != lower[i]) return false;
  }
  return true;
}

// Digits of `base` and nothing else; nothing on overflow.
inline std::optional<uint64_t> ParseNumber(std::string_view text, int base = 10) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace sonde::protocol
