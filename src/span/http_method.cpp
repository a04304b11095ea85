// SPDX-License-Identifier: Apache-2.0
#include "span/http_method.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::span {

std::vector<std::string> DefaultKnownMethods() {
  return {"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE"};
}

bool KnownMethods::Contains(std::string_view method) const {
  return std::ranges::find(methods_, method) != methods_.end();
}

}  // namespace sonde::span
