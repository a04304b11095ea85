// SPDX-License-Identifier: Apache-2.0
#include "span/request_headers.h"

#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"

namespace sonde::span {
namespace {

// The field a header goes to, or null. Lengths tell nearly all other headers apart without
// comparing.
std::string_view* FieldFor(std::string_view name, RequestHeaders& out) {
  switch (name.size()) {
    case 4:
      return name == "host" ? &out.host : nullptr;
    case 9:
      return name == "forwarded" ? &out.forwarding.forwarded : nullptr;
    case 10:
      return name == "user-agent" ? &out.user_agent : nullptr;
    case 15:
      return name == "x-forwarded-for" ? &out.forwarding.x_forwarded_for : nullptr;
    case 16:
      return name == "x-forwarded-host" ? &out.forwarding.x_forwarded_host : nullptr;
    case 17:
      return name == "x-forwarded-proto" ? &out.forwarding.x_forwarded_proto : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

RequestHeaders CollectHeaders(const std::vector<HttpHeader>& headers) {
  RequestHeaders out;
  for (const HttpHeader& header : headers) {
    std::string_view* field = FieldFor(header.name, out);
    if (field != nullptr && field->empty()) *field = header.value;
  }
  return out;
}

}  // namespace sonde::span
