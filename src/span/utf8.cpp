// SPDX-License-Identifier: Apache-2.0
#include "span/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sonde::span {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Sequence {
  size_t bytes = 1;
  bool valid = false;
};

// First byte -> length and the range of the second byte (Unicode table 3-7); the others are 80..BF.
struct Lead {
  size_t bytes;
  uint8_t second_min;
  uint8_t second_max;
};

Lead LeadOf(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {.bytes = 2, .second_min = 0x80, .second_max = 0xBF};
  if (byte == 0xE0) return {.bytes = 3, .second_min = 0xA0, .second_max = 0xBF};
  if (byte == 0xED) return {.bytes = 3, .second_min = 0x80, .second_max = 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {.bytes = 3, .second_min = 0x80, .second_max = 0xBF};
  if (byte == 0xF0) return {.bytes = 4, .second_min = 0x90, .second_max = 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {.bytes = 4, .second_min = 0x80, .second_max = 0xBF};
  if (byte == 0xF4) return {.bytes = 4, .second_min = 0x80, .second_max = 0x8F};
  return {.bytes = 0, .second_min = 0, .second_max = 0};
}

// The sequence at the start of `text`, which is not empty. Malformed: `bytes` is the maximal
// subpart to replace.
Sequence NextSequence(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return {.bytes = 1, .valid = true};
  const Lead lead = LeadOf(first);
  if (lead.bytes == 0) return {.bytes = 1, .valid = false};
  uint8_t min = lead.second_min;
  uint8_t max = lead.second_max;
  for (size_t i = 1; i < lead.bytes; ++i) {
    if (i == text.size()) return {.bytes = i, .valid = false};
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < min || byte > max) return {.bytes = i, .valid = false};
    min = 0x80;
    max = 0xBF;
  }
  return {.bytes = lead.bytes, .valid = true};
}

}  // namespace

bool IsAscii(std::string_view text) {
  constexpr uint64_t high_bits = 0x8080808080808080;
  uint64_t seen = 0;
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= text.size(); i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof(word));
    seen |= word;
  }
  for (; i < text.size(); ++i) seen |= static_cast<uint8_t>(text[i]);
  return (seen & high_bits) == 0;
}

void AppendUtf8(std::string_view text, size_t max_characters, std::string& out) {
  if (IsAscii(text)) {
    out.append(text.substr(0, std::min(text.size(), max_characters)));
    return;
  }
  for (size_t characters = 0; !text.empty() && characters < max_characters; ++characters) {
    const Sequence sequence = NextSequence(text);
    out.append(sequence.valid ? text.substr(0, sequence.bytes) : kReplacement);
    text.remove_prefix(sequence.bytes);
  }
}

}  // namespace sonde::span
