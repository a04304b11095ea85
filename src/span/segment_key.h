// SPDX-License-Identifier: Apache-2.0
// Turns a raw path segment into its key in the route tree: a cleaned literal or a placeholder.
#pragma once

#include <string>
#include <string_view>

namespace sonde::span {

struct SegmentKey {
  std::string_view text;  // into `scratch`, the segment or a literal
  bool is_value = false;  // `text` is or holds a placeholder
};

// Percent-encoding is undone where the result is harmless, so that "/caf%C3%A9" and "/café" are one
// route; path parameters (";jsessionid=...") are left out. `root_file`: the segment is the whole
// path, as in "/favicon.ico", where even asset names stay.
SegmentKey KeyOf(std::string_view segment, bool root_file, std::string& scratch);

}  // namespace sonde::span
