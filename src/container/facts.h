// SPDX-License-Identifier: Apache-2.0
// Parts of ContainerFacts from texts that others chose: cleaned, and only so many.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde::container {

// In the order of the keys; at most 256. `cut` counts what was cut or left out; may be null.
void AddLabel(std::string_view key, std::string_view value, Labels& labels, size_t* cut);
// Sets name, tags and digests from the name that an image was asked for by; an id is none.
void AddImageName(std::string_view name, ContainerFacts& facts);
// Leaves only variables of these names: others may be secrets.
void KeepWanted(const std::vector<std::string>& names, Variables& env);
// A tag or a digest, each once and at most 32.
void AddUnique(std::string value, std::vector<std::string>& list);

}  // namespace sonde::container
