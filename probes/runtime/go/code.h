// SPDX-License-Identifier: Apache-2.0
// What is asked of the code of a Go program.
#pragma once

#include <cstdint>
#include <optional>

#include "binary/code.h"
#include "binary/elf.h"

namespace sonde::probe {

inline bool WritesRegister(const binary::Instruction& instruction, uint8_t number) {
  return (instruction.writes >> number & 1U) != 0;
}

// Address of an instruction that the kernel emulates, at which the arguments are still in their
// registers: the `push rbp` behind the check of the stack; until Go 1.20 there is none, but a
// branch of that check, which is passed twice if the stack has to grow. Empty: there is neither.
std::optional<uint64_t> GoEntry(const binary::Elf& elf, const binary::Function& function);

}  // namespace sonde::probe
