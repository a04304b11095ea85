// SPDX-License-Identifier: Apache-2.0
// `composite/development: {rule_based: {rules: [...]}}` of a sampler.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/key.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {

inline constexpr std::string_view kCompositeSampler = "composite/development";

// What stands below kCompositeSampler. False, and told, if it is no such thing.
bool ReadSamplingRules(const YamlNode& node, const Reading& in, std::vector<SamplingRule>& out);
YamlNode WriteSamplingRules(const std::vector<SamplingRule>& rules, const std::string& origin);
Json SamplingRulesSchema();

}  // namespace sonde::config
