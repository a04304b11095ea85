// SPDX-License-Identifier: Apache-2.0
#include "config/substitute.h"

#include <absl/status/status.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "config/environment.h"
#include "sonde/base/result.h"

namespace sonde::config {
namespace {

constexpr size_t kMaxResultBytes = 64U << 10;

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

Status Malformed(std::string_view reference) {
  return absl::InvalidArgumentError("malformed reference \"" +
                                    std::string(reference.substr(0, 60)) +
                                    "\"; expected ${NAME} or ${NAME:-default}, or $$ for a dollar");
}

// `body` is what stands between the braces.
Result<std::string> Resolve(std::string_view body, const Environment& environment) {
  const std::string_view reference = body;
  if (body.starts_with("env:")) body.remove_prefix(4);
  size_t length = 0;
  while (length < body.size() && IsNamePart(body[length])) ++length;
  if (length == 0 || !IsNameStart(body[0])) return Malformed(reference);
  const std::string_view rest = body.substr(length);
  if (!rest.empty() && !rest.starts_with(":-")) return Malformed(reference);
  const auto found = environment.find(body.substr(0, length));
  if (found != environment.end() && !found->second.empty()) return found->second;
  return std::string(rest.empty() ? rest : rest.substr(2));
}

}  // namespace

Result<std::string> Substitute(std::string_view text, const Environment& environment) {
  std::string out;
  while (!text.empty()) {
    const size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      out += '$';
      text.remove_prefix(2);
    } else if (text.starts_with("${")) {
      const size_t end = text.find('}');
      if (end == std::string_view::npos) return Malformed(text);
      auto value = Resolve(text.substr(2, end - 2), environment);
      if (!value.ok()) return value.status();
      out += *value;
      text.remove_prefix(end + 1);
    } else {
      out += '$';
      text.remove_prefix(1);
    }
    if (out.size() > kMaxResultBytes) {
      return absl::InvalidArgumentError("value is longer than 64 KiB after substitution");
    }
  }
  return out;
}

}  // namespace sonde::config
