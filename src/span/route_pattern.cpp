// SPDX-License-Identifier: Apache-2.0
#include "span/route_pattern.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "span/path_segments.h"

namespace sonde::span {
namespace {

bool TakesRest(std::string_view segment) {
  return segment == "**" || (segment.starts_with('{') && segment.ends_with("...}"));
}

bool TakesOne(std::string_view segment) {
  return segment == "*" || segment.starts_with(':') ||
         (segment.starts_with('{') && segment.ends_with('}'));
}

}  // namespace

RoutePatterns::RoutePatterns(const std::vector<std::string>& patterns) {
  for (const std::string& text : patterns) {
    Pattern& pattern = patterns_.emplace_back();
    pattern.text = text;
    std::string_view rest = text;
    while (const auto segment = TakeSegment(rest)) {
      if (TakesRest(*segment) && rest.empty()) {
        pattern.takes_rest = true;
      } else {
        pattern.segments.emplace_back(TakesOne(*segment) ? std::string_view{} : *segment);
      }
    }
  }
}

bool RoutePatterns::Matches(const Pattern& pattern, std::string_view path) {
  for (const std::string& wanted : pattern.segments) {
    const auto segment = TakeSegment(path);
    if (!segment) return false;
    if (wanted.empty() ? segment->empty() : *segment != wanted) return false;
  }
  return pattern.takes_rest || path.empty();
}

std::optional<std::string_view> RoutePatterns::Match(std::string_view path) const {
  for (const Pattern& pattern : patterns_) {
    if (Matches(pattern, path)) return pattern.text;
  }
  return std::nullopt;
}

}  // namespace sonde::span
