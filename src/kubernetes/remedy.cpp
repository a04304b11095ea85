// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/remedy.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/base/result.h"

namespace sonde::kubernetes {

std::string MissingRule(const std::string& resource, const std::string& verb) {
  std::string group;
  if (resource == "replicasets") group = "apps";
  if (resource == "jobs") group = "batch";
  return absl::StrCat("{apiGroups: [\"", group, "\"], resources: [\"", resource, "\"], verbs: [\"",
                      verb, "\"]}");
}

std::string Explain(const Status& status, const std::string& resource, const std::string& verb) {
  std::string text = absl::StrCat(verb, " ", resource, ": ", status.message());
  if (absl::IsPermissionDenied(status)) {
    return text + "; remedy: a ClusterRole of sonde's service account with the rule " +
           MissingRule(resource, verb);
  }
  if (absl::IsUnauthenticated(status)) {
    return text + "; remedy: a token that is valid; that of a service account is renewed by itself";
  }
  if (absl::IsUnavailable(status)) {
    return text +
           "; remedy: the address must be reachable from this pod (network policy) and its "
           "certificate be of the authority that is configured";
  }
  return text;
}

std::string EscapeQuery(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      escaped += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      escaped += '%';
      escaped += kDigits[byte >> 4U];
      escaped += kDigits[byte & 15U];
    }
  }
  return escaped;
}

}  // namespace sonde::kubernetes
