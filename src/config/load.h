// SPDX-License-Identifier: Apache-2.0
// File, environment and flags to a Config, and what `config` prints of it.
#pragma once

#include <string>

#include "config/draft.h"
#include "config/environment.h"
#include "config/invocation.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {

struct Sources {
  std::string file;  // of --config; empty: SONDE_CONFIG or none
  FlagValues flags;
  const Environment& environment;
};

// Fills config, text and warnings of the invocation; reads its command and child.
Status Load(const Sources& sources, Invocation& invocation);

// The file alone, into the draft. For tests and fuzzing.
void ApplyFile(const YamlNode& root, const std::string& file, Draft& draft, Findings& findings);

// The draft as YAML with origins.
std::string PrintDraft(Draft& draft);

// JSON Schema (draft 2020-12) of the file.
std::string SchemaText();

}  // namespace sonde::config
