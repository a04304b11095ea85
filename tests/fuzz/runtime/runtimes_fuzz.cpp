// SPDX-License-Identifier: Apache-2.0
// Whatever a container has as its executable, asked for every runtime. What is to be probed must
// lie in the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "binary/elf.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/probe/runtime.h"
#include "support/fuzz_input.h"

using sonde::testing::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto elf =
      sonde::binary::Elf::FromBytes(std::string(reinterpret_cast<const char*>(data), size));
  if (!elf.ok()) return 0;
  for (const auto* runtime : sonde::probe::Runtimes()) {
    const auto plan = runtime->resolve(**elf);
    Require(plan.ok() || !plan.status().message().empty());
    if (!plan.ok()) continue;
    Require(plan->layout.kind > SONDE_RUNTIME_NONE && plan->layout.kind < SONDE_RUNTIME_COUNT);
    for (const auto& point : plan->points) {
      Require(point.file_offset < size);
      Require(point.subject.from < SONDE_REGISTER_COUNT);
      Require(!point.where.empty());
    }
  }
  return 0;
}
