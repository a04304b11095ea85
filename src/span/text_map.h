// SPDX-License-Identifier: Apache-2.0
// A hash map with text keys that is looked up by views. Spelled out because the absl of Debian 12
// has a string_view of its own, so its default hash does not take std::string_view.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sonde::span {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

template <typename Value>
using TextMap = absl::flat_hash_map<std::string, Value, TextHash, std::equal_to<>>;

}  // namespace sonde::span
