// SPDX-License-Identifier: Apache-2.0
// Lists of name and value: resource attributes and export headers. In the file a list of {name,
// value}, in variables "k=v,k2=v2" with percent-encoding (W3C Baggage), as flags K=V as it stands.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key_types.h"
#include "sonde/base/result.h"

namespace sonde::config {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "k=v,k2=v2", percent-decoded. All or nothing.
Result<Pairs> ParsePairs(std::string_view text);

struct PairRule {
  TextRule name;
  bool secret = false;  // values are masked when printed
};

// A later layer replaces values of the same name and keeps the others.
TypePtr PairList(Member<Pairs> member, PairRule rule);
// The same member as one text (`headers_list`, `attributes_list`); names that the list form gives
// win.
TypePtr PairText(Member<Pairs> member, PairRule rule, std::string list_key);

}  // namespace sonde::config
