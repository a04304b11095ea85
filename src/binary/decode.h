// SPDX-License-Identifier: Apache-2.0
// Machine code of one architecture, said in the words of code.h. Private to src/binary: others ask
// for the code of a file, which is the host's. All are compiled everywhere, so that all are tested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "binary/code.h"

namespace sonde::binary {

// Until the end of `code`, `limit` instructions, or an undecodable byte.
std::vector<Instruction> DecodeX86(std::string_view code, uint64_t address, size_t limit);

// x0 to x30 are registers 0 to 30, the stack pointer 31, as DWARF has it. An instruction that does
// several things (a pair is stored, and the stack pointer moves) becomes several, of one byte each
// but the last, in an order that has the same effect. What cannot be decoded, and what has no word
// in code.h, is kOther: it writes every register that it may write.
std::vector<Instruction> DecodeArm64(std::string_view code, uint64_t address, size_t limit);

}  // namespace sonde::binary
