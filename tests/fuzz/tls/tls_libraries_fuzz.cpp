// SPDX-License-Identifier: Apache-2.0
// Whatever a container has as its executable, asked for every TLS library. What is to be probed
// must lie in the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "binary/elf.h"
#include "sonde/probe/tls.h"
#include "support/fuzz_input.h"

using sonde::testing::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto elf =
      sonde::binary::Elf::FromBytes(std::string(reinterpret_cast<const char*>(data), size));
  if (!elf.ok()) return 0;
  for (const auto* library : sonde::probe::TlsLibraries()) {
    const auto plan = library->resolve(**elf);
    Require(plan.ok() || !plan.status().message().empty());
    if (!plan.ok()) continue;
    Require(!plan->points.empty());
    for (const auto& point : plan->points) {
      Require(point.file_offset < size);
      Require(!point.where.empty());
    }
  }
  return 0;
}
