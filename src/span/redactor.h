// SPDX-License-Identifier: Apache-2.0
// Replaces secrets in URLs by "REDACTED": user info, and query values under credential-like keys.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "sonde/config/config.h"

namespace sonde::span {

class Redactor {
 public:
  explicit Redactor(const RedactionOptions& options);

  // Appends the query (without "?") with the values of credential-like keys replaced. Keys stay.
  void AppendQuery(std::string_view query, std::string& out) const;

  // Appends an authority; user info becomes "REDACTED:REDACTED@", as the conventions prescribe for
  // url.full.
  static void AppendAuthority(std::string_view authority, std::string& out);

 private:
  // `key` as sent; percent-encoded letters are understood, so that "%74oken" hides nothing.
  bool IsSecret(std::string_view key) const;

  std::set<std::string, std::less<>> keys_;  // lower case
};

}  // namespace sonde::span
