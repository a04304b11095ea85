// SPDX-License-Identifier: Apache-2.0
// Route patterns that an operator configured; tried before anything is learnt.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::span {

// "/users/{id}", "/users/:id" and "/users/*" take any one segment there; "**" or "{name...}" at the
// end takes the rest, also nothing. Everything else matches literally. The pattern's own text is
// the route.
class RoutePatterns {
 public:
  explicit RoutePatterns(const std::vector<std::string>& patterns);

  // The first pattern that matches the whole path (without query).
  std::optional<std::string_view> Match(std::string_view path) const;

 private:
  struct Pattern {
    std::string text;
    std::vector<std::string> segments;  // empty string = any one segment
    bool takes_rest = false;
  };
  static bool Matches(const Pattern& pattern, std::string_view path);

  std::vector<Pattern> patterns_;
};

}  // namespace sonde::span
