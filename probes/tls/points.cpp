// SPDX-License-Identifier: Apache-2.0
#include "probes/tls/points.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "binary/elf.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {

bool AddPoint(const binary::Elf& elf, uint64_t function, std::string_view name, uint64_t address,
              TlsPoint point, TlsPlan& plan) {
  const auto offset = elf.CodeOffset(address);
  if (!offset) return false;
  point.file_offset = *offset;
  point.where = absl::StrCat(std::string(name), "+0x", absl::Hex(address - function));
  plan.points.push_back(std::move(point));
  return true;
}

}  // namespace sonde::probe
