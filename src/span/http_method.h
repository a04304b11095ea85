// SPDX-License-Identifier: Apache-2.0
// Which HTTP methods are "known" in the sense of the semantic conventions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sonde::span {

// The methods of RFC 9110 and PATCH (RFC 5789), as the conventions define the default.
std::vector<std::string> DefaultKnownMethods();

// Case-sensitive, as RFC 9110 section 9.1 and the conventions demand: "get" is not GET.
class KnownMethods {
 public:
  explicit KnownMethods(std::vector<std::string> methods) : methods_(std::move(methods)) {}
  bool Contains(std::string_view method) const;

 private:
  std::vector<std::string> methods_;
};

}  // namespace sonde::span
