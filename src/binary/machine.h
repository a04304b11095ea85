// SPDX-License-Identifier: Apache-2.0
// What one instruction does to what is known. Private to src/binary.
#pragma once

#include <cstdint>
#include <optional>

#include "binary/code.h"
#include "binary/flow.h"

namespace sonde::binary {

// Any instruction that goes on to the next, calls included. `copies`: it calls memcpy or memmove,
// which return where they copied to.
void Execute(const Instruction& instruction, bool copies, Machine& machine);
// Adds what another path knows; true if that changed anything.
bool Join(Machine& machine, const Machine& other);
// Whether a branch of this condition is taken, if the comparison before it tells.
std::optional<bool> Taken(uint8_t condition, const std::optional<Comparison>& compared);

}  // namespace sonde::binary
