// SPDX-License-Identifier: Apache-2.0
// Whatever a container has as its executable. Functions that are found must be code of the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "binary/elf.h"
#include "binary/go_functions.h"
#include "support/fuzz_input.h"

using sonde::testing::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto elf =
      sonde::binary::Elf::FromBytes(std::string(reinterpret_cast<const char*>(data), size));
  if (!elf.ok()) return 0;
  const auto found = sonde::binary::FindGoFunctions(**elf, {"main.first", "main.third", "main"});
  if (found.ok()) {
    Require(found->size() == 3);
    for (const auto& function : *found) {
      if (!function) continue;
      Require(function->start < function->end);
      const auto offset = (*elf)->CodeOffset(function->start);
      Require(offset && *offset < size);
    }
  }
  Require(sonde::binary::GoVersion(**elf).size() <= 127);
  return 0;
}
