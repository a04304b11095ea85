// SPDX-License-Identifier: Apache-2.0
// Text to YamlNode with substitution of variables. Bounded against hostile input: 1 MiB of text, 64
// levels, 10,000 nodes (aliases count for what they stand for). Duplicate keys, keys that are not
// scalars and second documents are refused.
#pragma once

#include <string>

#include "config/environment.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {

// An error is kInvalidArgument, "FILE:LINE: what".
Result<YamlNode> ReadYaml(const std::string& text, const std::string& file,
                          const Environment& environment);

// The same from a file on disk ("-" = standard input).
Result<YamlNode> ReadYamlFile(const std::string& file, const Environment& environment);

}  // namespace sonde::config
