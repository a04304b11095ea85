// SPDX-License-Identifier: Apache-2.0
#include "exporter/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sonde::exporter {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

// Length of the ASCII run at the start, found eight bytes at a time and then rounded down to the
// word.
size_t AsciiWords(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof(word));
    if ((word & kHighBits) != 0) break;
  }
  return i;
}

struct Lead {
  size_t length;  // of the whole sequence; 0 = not a lead byte
  uint8_t low;    // bounds of the second byte
  uint8_t high;
  char32_t payload;  // bits of the first byte
};

Lead LeadOf(uint8_t byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {2, 0x80, 0xbf, byte & 0x1fU};
  if (byte == 0xe0) return {3, 0xa0, 0xbf, 0};
  if (byte == 0xed) return {3, 0x80, 0x9f, 0x0d};  // no surrogates
  if (byte >= 0xe1 && byte <= 0xef) return {3, 0x80, 0xbf, byte & 0x0fU};
  if (byte == 0xf0) return {4, 0x90, 0xbf, 0};
  if (byte >= 0xf1 && byte <= 0xf3) return {4, 0x80, 0xbf, byte & 0x07U};
  if (byte == 0xf4) return {4, 0x80, 0x8f, 4};
  return {0, 0, 0, 0};
}

}  // namespace

CodePoint DecodeUtf8(std::string_view text) {
  const auto byte_at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte_at(0) < 0x80) return {byte_at(0), 1, true};
  const Lead lead = LeadOf(byte_at(0));
  char32_t value = lead.payload;
  for (size_t i = 1; i < lead.length; ++i) {
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xbf;
    if (i >= text.size() || byte_at(i) < low || byte_at(i) > high) return {kReplacement, i, false};
    value = value << 6 | (byte_at(i) & 0x3fU);
  }
  if (lead.length == 0) return {};
  return {value, lead.length, true};
}

bool IsValidUtf8(std::string_view text) {
  text.remove_prefix(AsciiWords(text));
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    if (!point.valid) return false;
    text.remove_prefix(point.length);
  }
  return true;
}

std::string RepairUtf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size() + 8);
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    repaired += point.valid ? text.substr(0, point.length) : "\xef\xbf\xbd";
    text.remove_prefix(point.length);
  }
  return repaired;
}

}  // namespace sonde::exporter
