// SPDX-License-Identifier: Apache-2.0
// Attribute keys for the configured header allow-lists.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sonde::span {

// One allowed header: its lower-case name and the attribute key it is exported under.
struct AllowedHeader {
  std::string name;
  std::string_view
      key;  // interned for the life of the process: batches outlive a reload of the configuration
};

// A key that lives as long as the process.
std::string_view InternKey(std::string key);
std::string LowerCase(std::string text);

// `prefix` is "http.request.header." or "http.response.header.". Names are lower-cased.
std::vector<AllowedHeader> AllowHeaders(std::string_view prefix,
                                        const std::vector<std::string>& names);

}  // namespace sonde::span
