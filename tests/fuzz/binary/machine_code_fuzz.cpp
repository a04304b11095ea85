// SPDX-License-Identifier: Apache-2.0
// Bytes that may be anything, decoded as each architecture: all are passed in order, and no
// register is beyond those there are.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "binary/code.h"
#include "binary/decode.h"
#include "binary/references.h"
#include "support/fuzz_input.h"

using sonde::binary::Instruction;
using sonde::binary::Operand;
using sonde::testing::Require;

namespace {

constexpr uint64_t kBase = 0x1000;

void Check(const std::vector<Instruction>& code, size_t size, uint8_t registers) {
  uint64_t next = kBase;
  for (const Instruction& each : code) {
    Require(each.address == next && each.size > 0);
    next = each.next();
    for (const Operand& operand : {each.destination, each.source}) {
      Require(operand.base == Operand::kNoRegister || operand.base < registers);
      Require(operand.kind != Operand::Kind::kRegister || operand.base < registers);
    }
  }
  Require(next <= kBase + size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > (64U << 10)) return 0;
  const std::string_view code(reinterpret_cast<const char*>(data), size);
  Check(sonde::binary::DecodeX86(code, kBase, size), size, 16);
  const auto arm64 = sonde::binary::DecodeArm64(code, kBase, size);
  Check(arm64, size, 32);
  // Whole instructions, unless the limit ends them.
  Require(arm64.size() >= size ||
          (arm64.empty() ? kBase : arm64.back().next()) == kBase + size / 4 * 4);
  sonde::binary::arm64::CallTarget(code, kBase);
  sonde::binary::arm64::NamedAddress(code, kBase);
  sonde::binary::arm64::SlotOfStub(code, kBase);
  sonde::binary::x86::SlotOfStub(code, kBase);
  return 0;
}
