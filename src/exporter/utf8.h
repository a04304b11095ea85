// SPDX-License-Identifier: Apache-2.0
// UTF-8 as Unicode 15 table 3-7 defines it. Protobuf strings and JSON must be valid UTF-8: one bad
// byte in one attribute would make a receiver refuse the whole batch, and attributes hold what
// strangers sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sonde::exporter {

inline constexpr char32_t kReplacement = 0xfffd;

struct CodePoint {
  char32_t value = kReplacement;
  size_t length =
      1;  // bytes consumed; of an ill-formed sequence, the longest part that could begin a good one
  bool valid = false;
};

// `text` is not empty.
CodePoint DecodeUtf8(std::string_view text);

bool IsValidUtf8(std::string_view text);

// Every ill-formed sequence replaced by U+FFFD.
std::string RepairUtf8(std::string_view text);

}  // namespace sonde::exporter
