// SPDX-License-Identifier: Apache-2.0
#include "protocol/http1/upgrade.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "protocol/common/text.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::protocol::http1 {

bool NamesHttp2(const std::vector<HttpHeader>& headers) {
  return std::ranges::any_of(headers, [](const HttpHeader& header) {
    if (header.name != "upgrade") return false;
    std::string_view list = header.value;
    while (true) {
      const size_t comma = list.find(',');
      if (EqualsIgnoringCase(TrimBlanks(list.substr(0, comma)), "h2c")) return true;
      if (comma == std::string_view::npos) return false;
      list.remove_prefix(comma + 1);
    }
  });
}

bool LooksLikePreface(std::string_view bytes) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const size_t compared = std::min(bytes.size(), kPreface.size());
  return compared > 0 && bytes.substr(0, compared) == kPreface.substr(0, compared);
}

}  // namespace sonde::protocol::http1
