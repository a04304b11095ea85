// SPDX-License-Identifier: Apache-2.0
// What proxies say about the original request: Forwarded (RFC 7239) and the older X-Forwarded-*
// headers.
#pragma once

#include <string_view>

namespace sonde::span {

// Views into the header values; empty = not said. `client` and `host` may carry a port and
// brackets.
struct Origin {
  std::string_view client;
  std::string_view host;
  std::string_view scheme;
};

struct ForwardingHeaders {
  std::string_view forwarded;
  std::string_view x_forwarded_for;
  std::string_view x_forwarded_host;
  std::string_view x_forwarded_proto;
};

// The first element of each list is the one nearest to the original client. Forwarded wins over
// X-Forwarded-*, part by part. "unknown" and obfuscated ("_hidden") clients count as not said.
Origin ParseOrigin(const ForwardingHeaders& headers);

}  // namespace sonde::span
