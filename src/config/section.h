// SPDX-License-Identifier: Apache-2.0
// A table of keys applied as a whole: to a YAML map, to environment variables, to flags; and
// written back.
#pragma once

#include <string>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/key.h"
#include "config/origin.h"
#include "config/yaml_node.h"

namespace sonde::config {

// Where the values of a table go.
struct Target {
  Draft& draft;
  Findings& findings;
  Origins& origins;
};

// `where` names the file; `above` is the path of the table's root inside it, "" or "a.b.".
void ReadSection(const KeyTable& table, const YamlNode& map, const std::string& file,
                 const std::string& above, const Target& target);

void ApplyEnvironment(const KeyTable& table, const Environment& environment, const Target& target);

// Flags that are not in the table are left to others.
void ApplyFlags(const KeyTable& table, const FlagValues& flags, const Target& target);

// One value, as a flag or a variable would give it.
void ApplyText(const Key& key, const std::vector<std::string>& values, const Origin& origin,
               const Target& target);

YamlNode WriteSection(const KeyTable& table, Draft& draft, const Origins& origins);

// {"type": "object", "properties": ..., "additionalProperties": false}
Json SchemaOf(const KeyTable& table);

}  // namespace sonde::config
