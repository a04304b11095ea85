// SPDX-License-Identifier: Apache-2.0
// What the manifests of runtimes share.
#pragma once

#include <cstdint>
#include <string_view>

#include "sonde/probe/runtime.h"

namespace sonde::probe {

// Adds `point` at the instruction at `address`, which is in the function that begins at `function`
// and is called `name`. False, and nothing added: it is in no executable segment.
bool AddPoint(const binary::Elf& elf, uint64_t function, std::string_view name, uint64_t address,
              RuntimePoint point, RuntimePlan& plan);

}  // namespace sonde::probe
