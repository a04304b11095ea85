// SPDX-License-Identifier: Apache-2.0
// Code that may be anything: following it ends, and says nothing of what is not in it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "binary/flow.h"
#include "binary/sites.h"
#include "sonde/abi/tls.h"
#include "support/fuzz_input.h"
#include "unit/binary/code_file.h"

using sonde::binary::Assumptions;
using sonde::binary::kCodeBase;
using sonde::binary::Value;
using sonde::testing::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > (64U << 10)) return 0;
  const auto elf = sonde::binary::WithCode({reinterpret_cast<const char*>(data), size});
  Assumptions assumptions{{{SONDE_REGISTER_SI, data[0] % 32}}, SONDE_REGISTER_DI};
  const auto visit = [&](const auto& instruction, const auto& machine) {
    Require(instruction.address >= kCodeBase && instruction.next() <= kCodeBase + size);
    const auto place = machine.Find(Value::Input(SONDE_REGISTER_DI));
    Require(!place || place->from < SONDE_REGISTER_COUNT);
  };
  sonde::binary::Follow(*elf, kCodeBase, assumptions, visit);
  sonde::binary::CheapEntry(*elf, kCodeBase, {SONDE_REGISTER_DI}, true);
  sonde::binary::CopiedField(*elf, kCodeBase, assumptions);
  sonde::binary::SharedCallee(*elf, kCodeBase, kCodeBase + size / 2);
  sonde::binary::CopySitesBelow(*elf, {kCodeBase, SONDE_REGISTER_DI, SONDE_REGISTER_SI, {}});
  return 0;
}
