// SPDX-License-Identifier: Apache-2.0
// Small text helpers. Not Abseil's: distributions build its string_view as a type that is not
// std::string_view.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

// Parts between separators, trimmed of spaces and tabs; empty ones are kept.
std::vector<std::string> SplitTrimmed(std::string_view text, char separator);

std::string_view Trim(std::string_view text);

// ASCII only, whatever the locale.
std::string Lower(std::string_view text);
inline bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace sonde::config
