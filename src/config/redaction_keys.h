// SPDX-License-Identifier: Apache-2.0
// What of messages may be exported: sonde.redaction, and the same keys of a rule.
#pragma once

#include <string>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"

namespace sonde::config {

// Where the lists of a RedactionOptions are.
struct RedactionMembers {
  Member<std::vector<std::string>> request_headers;
  Member<std::vector<std::string>> response_headers;
  Member<std::vector<std::string>> query_keys;
  Member<std::vector<std::string>> baggage_keys;
};

// `prefix`: "sonde.redaction.", or "" in a rule.
void AddRedactionKeys(KeyTable& t, const std::string& prefix, const RedactionMembers& members);

}  // namespace sonde::config
