// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/runtime_points.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "binary/elf.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {

bool AddPoint(const binary::Elf& elf, uint64_t function, std::string_view name, uint64_t address,
              RuntimePoint point, RuntimePlan& plan) {
  const auto offset = elf.CodeOffset(address);
  if (!offset) return false;
  point.file_offset = *offset;
  point.where = absl::StrCat(std::string(name), "+0x", absl::Hex(address - function));
  plan.points.push_back(std::move(point));
  return true;
}

}  // namespace sonde::probe
