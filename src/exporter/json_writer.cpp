// SPDX-License-Identifier: Apache-2.0
#include "exporter/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "exporter/utf8.h"

namespace sonde::exporter {
namespace {

// True if one of the word's bytes is a control character, a quote, a backslash, or not ASCII. Exact
// for "none": the borrow of a subtraction can only raise a false alarm, and that only costs the
// slow path.
bool NeedsCare(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  const uint64_t control = word - (kOnes * 0x20);
  const uint64_t quote = (word ^ (kOnes * '"')) - kOnes;
  const uint64_t backslash = (word ^ (kOnes * '\\')) - kOnes;
  return ((control | quote | backslash | word) & kHigh) != 0;
}

// Length of the part that can be copied as it is, in whole words.
size_t PlainWords(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof(word));
    if (NeedsCare(word)) break;
  }
  return i;
}

std::string_view ShortEscape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return {};
  }
}

}  // namespace

void JsonWriter::String(std::string_view text) {
  out_.Append('"');
  while (!text.empty()) {
    const size_t plain = PlainWords(text);
    out_.Append(text.substr(0, plain));
    text.remove_prefix(plain);
    const size_t careful = text.size() < 8 ? text.size() : 8;
    size_t done = 0;
    while (done < careful) {
      const CodePoint point = DecodeUtf8(text.substr(done));
      Escaped(point, text.substr(done, point.length));
      done += point.length;
    }
    text.remove_prefix(done);
  }
  out_.Append('"');
}

void JsonWriter::Escaped(const CodePoint& point, std::string_view text) {
  if (!point.valid) {
    out_.Append("\xef\xbf\xbd");
  } else if (const std::string_view escape = ShortEscape(text[0]); !escape.empty()) {
    out_.Append(escape);
  } else if (point.value < 0x20 || (point.value >= 0x80 && point.value < 0xa0)) {
    // JSON would allow the second range, but a terminal takes it for control sequences.
    constexpr char kDigits[] = "0123456789abcdef";
    out_.Append("\\u00");
    out_.Append(kDigits[point.value >> 4]);
    out_.Append(kDigits[point.value & 15]);
  } else {
    out_.Append(text);
  }
}

void JsonWriter::Int(int64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.Append({digits.data(), static_cast<size_t>(end - digits.data())});
}

void JsonWriter::Uint(uint64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.Append({digits.data(), static_cast<size_t>(end - digits.data())});
}

void JsonWriter::Double(double value) {
  if (std::isnan(value)) return Raw("\"NaN\"");
  if (std::isinf(value)) return Raw(value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
  std::array<char, 40> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.Append({digits.data(), static_cast<size_t>(end - digits.data())});
}

}  // namespace sonde::exporter
