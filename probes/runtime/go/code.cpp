// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/go/code.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "binary/code.h"
#include "binary/elf.h"
#include "sonde/abi/tls.h"

namespace sonde::probe {

std::optional<uint64_t> GoEntry(const binary::Elf& elf, const binary::Function& function) {
  constexpr size_t kPrologue = 6;
  constexpr std::array<uint8_t, 4> kArguments = {SONDE_REGISTER_AX, SONDE_REGISTER_BX,
                                                 SONDE_REGISTER_CX, SONDE_REGISTER_DI};
  std::optional<uint64_t> address;
  for (const binary::Instruction& instruction :
       binary::Disassemble(elf, function.start, function.end, kPrologue)) {
    const bool push = instruction.operation == binary::Operation::kPush;
    if (instruction.emulated && (!address || push)) address = instruction.address;
    if (push || std::ranges::any_of(kArguments, [&](uint8_t number) {
          return WritesRegister(instruction, number);
        })) {
      break;
    }
  }
  return address;
}

}  // namespace sonde::probe
