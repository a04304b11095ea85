// SPDX-License-Identifier: Apache-2.0
#include "binary/code.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "binary/decode.h"
#include "binary/elf.h"

namespace sonde::binary {
namespace {

constexpr uint64_t kMaxFunctionBytes = 64U << 10;
constexpr size_t kMaxInstructions = kMaxFunctionBytes;

#if defined(__x86_64__)
constexpr auto kDecode = DecodeX86;
#elif defined(__aarch64__)
constexpr auto kDecode = DecodeArm64;
#endif

}  // namespace

std::vector<Instruction> Disassemble(const Elf& elf, uint64_t address, uint64_t end, size_t limit) {
  if (end <= address) return {};
  const std::string code = elf.Read(address, std::min(end - address, kMaxFunctionBytes));
  return kDecode(code, address, std::min(limit, kMaxInstructions));
}

std::vector<Instruction> DisassembleFunction(const Elf& elf, uint64_t address) {
  const auto function = elf.FunctionAt(address);
  if (!function) return {};
  return Disassemble(elf, function->start, function->end, kMaxInstructions);
}

}  // namespace sonde::binary
