// SPDX-License-Identifier: Apache-2.0
// Reading of JSON that may have any shape: what is not there, or something else, reads as nothing.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "sonde/pipeline/workload.h"

namespace sonde::container {

using Json = nlohmann::json;

// Discarded, which reads as nothing, if it is no JSON.
Json ParseJson(std::string_view text);
// Null if `object` is none or has no such member.
const Json& Member(const Json& object, const char* name);
// "" if it is no string.
std::string_view Text(const Json& value);
// Members that are strings, by AddLabel().
Labels LabelsOf(const Json& object, size_t* cut);
// Of a list of "NAME=VALUE"; the first of a name counts, as getenv(3) has it.
Variables VariablesOf(const Json& list);
// Of the process of an OCI runtime's specification.
Variables SpecVariables(const Json& spec);

}  // namespace sonde::container
