// SPDX-License-Identifier: Apache-2.0
#include "span/url.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace sonde::span {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool IsSchemeCharacter(char c) {
  const char lower = Lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
         c == '.';
}

// Length of "scheme" if the target starts with "scheme://" (RFC 3986 section 3.1), else 0.
size_t SchemeLength(std::string_view target) {
  size_t i = 0;
  while (i < target.size() && IsSchemeCharacter(target[i])) ++i;
  return i > 0 && target.substr(i).starts_with("://") ? i : 0;
}

void SplitPathAndQuery(std::string_view text, Target& out) {
  const size_t mark = text.find('?');
  out.path = text.substr(0, mark);
  if (mark == std::string_view::npos) return;
  out.has_query = true;
  out.query = text.substr(mark + 1);
}

uint16_t ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? port : uint16_t{0};
}

}  // namespace

Target ParseTarget(std::string_view method, std::string_view target) {
  Target out;
  if (target.starts_with('/')) {
    SplitPathAndQuery(target, out);
    return out;
  }
  if (target == "*") {
    out.form = TargetForm::kAsterisk;
    out.path = target;
    return out;
  }
  if (method == "CONNECT") {
    out.form = TargetForm::kAuthority;
    out.authority = target;
    return out;
  }
  const size_t scheme = SchemeLength(target);
  if (scheme == 0) {
    SplitPathAndQuery(target, out);
    return out;
  }
  out.form = TargetForm::kAbsolute;
  out.scheme = target.substr(0, scheme);
  const std::string_view rest = target.substr(scheme + 3);
  const size_t end = rest.find_first_of("/?");
  out.authority = rest.substr(0, end);
  if (end != std::string_view::npos) SplitPathAndQuery(rest.substr(end), out);
  if (out.path.empty()) out.path = "/";  // RFC 9110 section 4.2.3
  return out;
}

Authority ParseAuthority(std::string_view authority) {
  Authority out;
  const size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    out.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    out.host = authority.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close == std::string_view::npos) return out;
    authority.remove_prefix(close + 1);
    if (authority.starts_with(':')) out.port = ParsePort(authority.substr(1));
    return out;
  }
  const size_t colon = authority.rfind(':');
  // More than one colon without brackets: a bare IPv6 address, as some Forwarded headers carry.
  if (colon == std::string_view::npos || authority.find(':') != colon) {
    out.host = authority;
    return out;
  }
  out.host = authority.substr(0, colon);
  out.port = ParsePort(authority.substr(colon + 1));
  return out;
}

uint16_t DefaultPort(std::string_view scheme) {
  if (EqualsIgnoreCase(scheme, "http") || EqualsIgnoreCase(scheme, "ws")) return 80;
  if (EqualsIgnoreCase(scheme, "https") || EqualsIgnoreCase(scheme, "wss")) return 443;
  return 0;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

std::string_view TrimSpace(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace sonde::span
