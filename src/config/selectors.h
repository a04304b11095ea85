// SPDX-License-Identifier: Apache-2.0
// Selector kinds: their names, what their patterns must look like, and their keys in the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/key_types.h"
#include "sonde/config/config.h"

namespace sonde::config {

struct SelectorName {
  SelectorKind kind;
  std::string_view name;   // --<name>, include.<name>, --exclude <name>=
  std::string_view value;  // placeholder
  std::string_view doc;
};

// All kinds of this version, kAll last.
const std::vector<SelectorName>& SelectorNames();

std::optional<PortRange> ParsePortRange(std::string_view text);

// The patterns of one kind in include or exclude. Include: a later layer replaces. Exclude: layers
// add up, so that what the file keeps out stays out.
TypePtr SelectorList(SelectorKind kind, bool exclude);
// The same within a rule.
TypePtr RuleSelectorList(SelectorKind kind);

}  // namespace sonde::config
