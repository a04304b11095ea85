// SPDX-License-Identifier: Apache-2.0
// Walks the segments of a URL path without allocating.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sonde::span {

// Takes "/segment" from the front of `path`; nothing left: none. "/a/" gives "a" and then "": a
// trailing slash is a segment of its own. Empty segments in the middle ("//") are passed over, as
// most servers merge them.
inline std::optional<std::string_view> TakeSegment(std::string_view& path) {
  if (path.empty()) return std::nullopt;
  while (path.size() > 1 && path[0] == '/' && path[1] == '/') path.remove_prefix(1);
  if (path[0] == '/') path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

}  // namespace sonde::span
