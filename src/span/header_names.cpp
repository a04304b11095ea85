// SPDX-License-Identifier: Apache-2.0
#include "span/header_names.h"

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::span {

// Grows only by what operators configure over reloads. Node-based, so the strings never move.
std::string_view InternKey(std::string key) {
  static std::mutex mutex;
  static std::set<std::string> keys;
  const std::lock_guard lock(mutex);
  return *keys.insert(std::move(key)).first;
}

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

std::vector<AllowedHeader> AllowHeaders(std::string_view prefix,
                                        const std::vector<std::string>& names) {
  std::vector<AllowedHeader> allowed;
  for (const std::string& configured : names) {
    std::string name = LowerCase(configured);
    const std::string_view key = InternKey(std::string(prefix) + name);
    allowed.push_back({.name = std::move(name), .key = key});
  }
  return allowed;
}

}  // namespace sonde::span
