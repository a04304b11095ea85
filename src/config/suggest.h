// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the nearest of the known names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

// The candidate with the smallest edit distance (a swap of neighbours counts one), or "" if none is
// near enough to be what was meant: a third of the length, at least one.
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);

// "a, b, c", each once, in order of first appearance.
std::string Join(const std::vector<std::string>& names);

}  // namespace sonde::config
