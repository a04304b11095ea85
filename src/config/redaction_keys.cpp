// SPDX-License-Identifier: Apache-2.0
#include "config/redaction_keys.h"

#include <string>
#include <utility>

#include "config/key.h"
#include "config/key_types.h"
#include "config/text_rules.h"

namespace sonde::config {

void AddRedactionKeys(KeyTable& t, const std::string& prefix, const RedactionMembers& members) {
  const auto add = [&](const char* name, std::string doc, TypePtr type) {
    t.push_back({prefix + name, "", "", {}, std::move(doc), std::move(type)});
  };
  add("request_headers", "Request headers that may be exported. Default: none.",
      TextList(members.request_headers, {.each = HeaderName(), .lower = true}));
  add("response_headers", "Response headers that may be exported. Default: none.",
      TextList(members.response_headers, {.each = HeaderName(), .lower = true}));
  add("query_keys", "Query keys whose values are replaced, beside the credential-like ones.",
      TextList(members.query_keys, {.each = AttributeName(), .lower = true}));
  add("baggage_keys", "Keys of baggage that may be exported, as baggage.KEY. Default: none.",
      TextList(members.baggage_keys, {.each = BaggageKey()}));
}

}  // namespace sonde::config
