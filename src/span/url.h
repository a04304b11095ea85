// SPDX-License-Identifier: Apache-2.0
// Splits request targets and authorities into parts. Views into the input; nothing is decoded or
// validated beyond what finding the parts needs, because hostile targets must still give a span.
#pragma once

#include <cstdint>
#include <string_view>

namespace sonde::span {

// RFC 9112 section 3.2: the four forms of a request target.
enum class TargetForm : uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

struct Target {
  TargetForm form = TargetForm::kOrigin;
  std::string_view scheme;     // absolute form only
  std::string_view authority;  // absolute and authority form; may hold user info
  std::string_view path;       // "*" in asterisk form, empty in authority form
  std::string_view query;      // without "?"
  bool has_query = false;
};

Target ParseTarget(std::string_view method, std::string_view target);

struct Authority {
  std::string_view user_info;  // without "@"
  std::string_view host;       // IPv6 without brackets
  uint16_t port = 0;           // 0 = not given or not a port number
};

Authority ParseAuthority(std::string_view authority);

// The port that a scheme implies, 0 if unknown.
uint16_t DefaultPort(std::string_view scheme);

// ASCII only, locale-free.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string_view TrimSpace(std::string_view text);

}  // namespace sonde::span
