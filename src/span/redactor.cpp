// SPDX-License-Identifier: Apache-2.0
#include "span/redactor.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sonde/config/config.h"
#include "span/percent.h"

namespace sonde::span {
namespace {

constexpr std::string_view kRedacted = "REDACTED";

// The first line is the conventions' own list (compared here without case); the rest is what login,
// OAuth 2.0, SAML and signed-URL schemes put into queries.
constexpr std::array kSecretKeys = std::to_array<std::string_view>({
    "awsaccesskeyid",
    "signature",
    "sig",
    "x-goog-signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-credential",
    "x-ms-signature",
    "token",
    "access_token",
    "accesstoken",
    "access-token",
    "refresh_token",
    "id_token",
    "auth_token",
    "authtoken",
    "csrf_token",
    "xsrf_token",
    "bearer",
    "jwt",
    "ticket",
    "nonce",
    "otp",
    "pin",
    "passcode",
    "passphrase",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "key",
    "private_key",
    "secret_key",
    "subscription-key",
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "client_secret",
    "credential",
    "credentials",
    "auth",
    "authorization",
    "oauth_token",
    "oauth_verifier",
    "oauth_signature",
    "code",
    "code_verifier",
    "client_assertion",
    "assertion",
    "samlresponse",
    "samlrequest",
    "session",
    "session_id",
    "sessionid",
    "sid",
    "phpsessid",
    "jsessionid",
    "hmac",
});

constexpr size_t kMaxKeyBytes = 64;  // longer keys are no known ones

}  // namespace

Redactor::Redactor(const RedactionOptions& options)
    : keys_(kSecretKeys.begin(), kSecretKeys.end()) {
  keys_.insert(options.query_keys.begin(), options.query_keys.end());
}

bool Redactor::IsSecret(std::string_view key) const {
  if (key.size() > 3 * kMaxKeyBytes) return false;
  std::array<char, kMaxKeyBytes> lower{};
  size_t size = 0;
  while (!key.empty()) {
    if (size == lower.size()) return false;
    const char c = TakeDecoded(key);
    lower.at(size++) = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return keys_.contains(std::string_view(lower.data(), size));
}

void Redactor::AppendQuery(std::string_view query, std::string& out) const {
  while (!query.empty()) {
    // ';' was a separator too (HTML 4); treating it as one can only hide more.
    const size_t end = query.find_first_of("&;");
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && IsSecret(pair.substr(0, equals))) {
      out.append(pair.substr(0, equals + 1)).append(kRedacted);
    } else {
      out.append(pair);
    }
    if (end == std::string_view::npos) return;
    out.push_back(query[end]);
    query.remove_prefix(end + 1);
  }
}

void Redactor::AppendAuthority(std::string_view authority, std::string& out) {
  const size_t at = authority.rfind('@');
  if (at == std::string_view::npos) {
    out.append(authority);
    return;
  }
  out.append("REDACTED:REDACTED@").append(authority.substr(at + 1));
}

}  // namespace sonde::span
