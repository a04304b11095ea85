// SPDX-License-Identifier: Apache-2.0
// YamlNode to text that ReadYaml reads back to the same values: `$` is doubled, strings are quoted.
#pragma once

#include <string>

#include "config/yaml_node.h"

namespace sonde::config {

// Block style; a comment stands after its value.
std::string WriteYaml(const YamlNode& root);

}  // namespace sonde::config
