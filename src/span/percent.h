// SPDX-License-Identifier: Apache-2.0
// Percent-decoding (RFC 3986 section 2.1), one byte at a time and without allocation.
#pragma once

#include <string_view>

namespace sonde::span {

constexpr int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes one byte from the front of `text`, which must not be empty. A "%" that starts no valid
// escape is itself.
constexpr char TakeDecoded(std::string_view& text) {
  const char first = text[0];
  if (first == '%' && text.size() >= 3) {
    const int high = HexDigit(text[1]);
    const int low = HexDigit(text[2]);
    if (high >= 0 && low >= 0) {
      text.remove_prefix(3);
      return static_cast<char>((high << 4) | low);
    }
  }
  text.remove_prefix(1);
  return first;
}

}  // namespace sonde::span
