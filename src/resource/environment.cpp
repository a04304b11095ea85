// SPDX-License-Identifier: Apache-2.0
#include "resource/environment.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "resource/text.h"

namespace sonde::resource {
namespace {

constexpr size_t kMaxPairs = 128;
constexpr size_t kMaxKeyBytes = 255;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);  // npos + 1 == 0
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return bytes;
}

}  // namespace

std::optional<KeyValues> ParseResourceAttributes(std::string_view text) {
  KeyValues pairs;
  while (!text.empty()) {
    const std::string_view member = text.substr(0, text.find(','));
    text.remove_prefix(std::min(member.size() + 1, text.size()));
    const std::string_view trimmed = Trim(member);
    if (trimmed.empty()) continue;  // a trailing comma is common
    const size_t equals = trimmed.find('=');
    if (equals == std::string_view::npos || pairs.size() == kMaxPairs) return std::nullopt;
    const std::string_view key = Trim(trimmed.substr(0, equals));
    auto value = PercentDecode(Trim(trimmed.substr(equals + 1)));
    if (key.empty() || key.size() > kMaxKeyBytes || !value || value->size() > kMaxValueBytes) {
      return std::nullopt;
    }
    pairs.emplace_back(ToUtf8(key), ToUtf8(*value));
  }
  return pairs;
}

}  // namespace sonde::resource
