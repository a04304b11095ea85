// SPDX-License-Identifier: Apache-2.0
#include "resource/arguments.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "resource/text.h"

namespace sonde::resource {
namespace {

constexpr size_t kMaxArguments = 128;
constexpr std::string_view kRedacted = "REDACTED";

// Found anywhere in a name, once its letters are small and its separators are gone.
constexpr std::array<std::string_view, 15> kSecretWords = {
    "password",   "passwd",    "passphrase", "pwd",       "secret",
    "token",      "apikey",    "accesskey",  "authkey",   "privatekey",
    "credential", "signature", "authoriza",  "sessionid", "cookie"};
// Whole names only: they are part of harmless ones.
constexpr std::array<std::string_view, 6> kSecretNames = {"auth", "pass", "pin",
                                                          "otp",  "jwt",  "sig"};

bool IsSecretName(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c + ('a' - 'A'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  }
  // A file or a directory says where a secret is, not what it is.
  for (const std::string_view place : {"file", "path", "dir"}) {
    if (plain.ends_with(place)) return false;
  }
  return std::ranges::find(kSecretNames, plain) != kSecretNames.end() ||
         std::ranges::any_of(kSecretWords, [&](std::string_view word) {
           return plain.find(word) != std::string::npos;
         });
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

// "user:password@" behind "://", up to the end of the authority. Passwords may hold '@'.
void RedactUserInfo(std::string& text) {
  size_t at = 0;
  while ((at = text.find("://", at)) != std::string::npos) {
    at += 3;
    const size_t end = std::min(text.find_first_of("/?# \"'", at), text.size());
    const size_t sign = text.rfind('@', end - 1);
    if (end == at || sign == std::string::npos || sign < at) continue;
    text.replace(at, sign - at, "REDACTED:REDACTED");
  }
}

// The value behind each "name=" and "name: ": to the next '&', ';' or ',', of a header to the end.
void RedactPairs(std::string& text) {
  size_t from = 0;
  while (true) {
    const size_t sign = text.find_first_of("=:", from);
    if (sign == std::string::npos) return;
    from = sign + 1;
    size_t name = sign;
    while (name > 0 && IsNameChar(text[name - 1])) --name;
    if (name == sign || !IsSecretName(std::string_view(text).substr(name, sign - name))) continue;
    size_t end = text.size();
    // A list of settings, or a query; the whole argument if it is one setting: "--password=a&b".
    const bool first = name == 0;
    if (text[sign] == '=' && !first) end = std::min(text.find_first_of("&;, ", from), text.size());
    text.replace(from, end - from, kRedacted);
    from += kRedacted.size();
  }
}

// Is what comes next the value of this option? "--password", "-token"; not "--password=x".
bool AsksForSecret(std::string_view arg) {
  if (arg.size() < 2 || arg[0] != '-' || arg.find('=') != std::string_view::npos) return false;
  return IsSecretName(arg);
}

// curl and others: "-u name:password".
std::string WithoutPassword(std::string_view value) {
  const size_t colon = value.find(':');
  if (colon == std::string_view::npos) return std::string(value);
  return std::string(value.substr(0, colon + 1)).append(kRedacted);
}

}  // namespace

std::vector<std::string> ShownArguments(const std::vector<std::string>& args) {
  std::vector<std::string> shown;
  std::string_view before;
  for (const std::string& arg : args) {
    if (shown.size() == kMaxArguments) break;
    std::string text = arg;
    // Another option is no value, and "-" stands for the standard input.
    if (AsksForSecret(before) && !text.starts_with('-')) {
      text = kRedacted;
    } else {
      if (before == "-u" || before == "--user") text = WithoutPassword(text);
      RedactUserInfo(text);
      RedactPairs(text);
    }
    shown.push_back(ToUtf8(text));
    before = arg;
  }
  return shown;
}

}  // namespace sonde::resource
