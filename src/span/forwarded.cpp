// SPDX-License-Identifier: Apache-2.0
#include "span/forwarded.h"

#include <cstddef>
#include <string_view>

#include "span/url.h"

namespace sonde::span {
namespace {

std::string_view FirstElement(std::string_view list) {
  return TrimSpace(list.substr(0, list.find(',')));
}

// Reads one value of a forwarded-pair and moves past it. Quoted values may hold ';' and ',';
// escapes are not undone because no address, host or scheme contains one.
std::string_view TakeValue(std::string_view& rest) {
  if (!rest.starts_with('"')) {
    const size_t end = rest.find_first_of(";,");
    const std::string_view value = rest.substr(0, end);
    rest.remove_prefix(value.size());
    return TrimSpace(value);
  }
  rest.remove_prefix(1);
  const std::string_view value = rest.substr(0, rest.find('"'));
  rest.remove_prefix(value.size());
  if (!rest.empty()) rest.remove_prefix(1);
  return value;
}

Origin ParseForwarded(std::string_view rest) {
  Origin origin;
  while (!rest.empty()) {
    const size_t equals = rest.find_first_of("=;,");
    if (equals == std::string_view::npos || rest[equals] == ',') break;
    const std::string_view name = TrimSpace(rest.substr(0, equals));
    const bool has_value = rest[equals] == '=';
    rest.remove_prefix(equals + 1);
    if (!has_value) continue;
    const std::string_view value = TakeValue(rest);
    if (EqualsIgnoreCase(name, "for")) origin.client = value;
    if (EqualsIgnoreCase(name, "host")) origin.host = value;
    if (EqualsIgnoreCase(name, "proto")) origin.scheme = value;
    rest = TrimSpace(rest);
    if (!rest.starts_with(';')) break;  // end of the first element
    rest.remove_prefix(1);
  }
  return origin;
}

bool IsHidden(std::string_view client) {
  return client.starts_with('_') || EqualsIgnoreCase(client, "unknown");
}

}  // namespace

Origin ParseOrigin(const ForwardingHeaders& headers) {
  Origin origin = ParseForwarded(headers.forwarded);
  if (IsHidden(origin.client)) origin.client = {};
  if (origin.client.empty()) origin.client = FirstElement(headers.x_forwarded_for);
  if (IsHidden(origin.client)) origin.client = {};
  if (origin.host.empty()) origin.host = FirstElement(headers.x_forwarded_host);
  if (origin.scheme.empty()) origin.scheme = FirstElement(headers.x_forwarded_proto);
  return origin;
}

}  // namespace sonde::span
