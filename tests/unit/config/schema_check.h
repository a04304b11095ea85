// SPDX-License-Identifier: Apache-2.0
// A JSON Schema validator for the keywords that `config schema` uses; an unknown keyword is a
// finding, so that the schema cannot grow past it unnoticed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/yaml_node.h"

namespace sonde::config {

// What is wrong, one line each; empty: valid.
std::vector<std::string> CheckSchema(const nlohmann::json& schema, const nlohmann::json& value);

// As a YAML reader of the core schema would type it.
nlohmann::json ToJson(const YamlNode& node);

}  // namespace sonde::config
