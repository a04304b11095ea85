// SPDX-License-Identifier: Apache-2.0
// What one record says about one direction: `length` bytes at an unwrapped offset, of which a
// prefix and a tail were captured. Views only: whoever keeps one copies the bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

struct Segment {
  uint64_t offset = 0;
  uint64_t length = 0;  // >= prefix.size() + tail.size()
  std::string_view prefix;
  std::string_view tail;
  Mark mark;
  bool record_start = true;  // the first byte is the first of its call
  bool lost = false;         // no record was seen for these bytes: `mark` says nothing

  uint64_t end() const { return offset + length; }
  uint64_t hole() const { return length - prefix.size() - tail.size(); }

  // Forgets the first n <= length bytes.
  void TrimFront(uint64_t n) {
    const uint64_t from_prefix = std::min<uint64_t>(n, prefix.size());
    const uint64_t kept = length - n;
    prefix.remove_prefix(from_prefix);
    if (tail.size() > kept) tail.remove_prefix(tail.size() - kept);
    offset += n;
    length = kept;
    if (n > 0) record_start = false;
  }
};

}  // namespace sonde::connection
