// SPDX-License-Identifier: Apache-2.0
// debug/buildinfo: what the linker noted about the program.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "binary/go_functions.h"
#include "binary/go_table.h"

namespace sonde::binary {
namespace {

constexpr size_t kMaxVersionBytes = 127;

std::string Checked(std::string_view version) {
  const bool fits = version.starts_with("go") && version.size() <= kMaxVersionBytes;
  return fits ? std::string(version) : std::string();
}

// Before Go 1.18: pointer to a Go string, which is pointer and length.
std::string VersionAt(const Elf& elf, uint64_t pointer) {
  const auto header = elf.Pointer(pointer);
  const auto text = header ? elf.Pointer(*header) : std::nullopt;
  const auto size = header ? ReadObject<uint64_t>(elf, *header + 8) : std::nullopt;
  if (!text || !size || *size > kMaxVersionBytes) return {};
  return Checked(elf.Read(*text, static_cast<size_t>(*size)));
}

}  // namespace

std::string GoVersion(const Elf& elf) {
  constexpr std::string_view kMagic("\xff Go buildinf:", 14);
  constexpr size_t kPointerBytesAt = 14;
  constexpr size_t kFlagsAt = 15;
  constexpr size_t kPointerAt = 16;
  constexpr size_t kInlineAt = 32;
  const auto address = elf.SectionAddress(".go.buildinfo");
  if (!address) return {};
  const std::string info = elf.Read(*address, kInlineAt + 1 + kMaxVersionBytes);
  if (info.size() <= kInlineAt || !info.starts_with(kMagic)) return {};
  if ((static_cast<uint8_t>(info[kFlagsAt]) & 2U) == 0) {
    return info[kPointerBytesAt] == 8 ? VersionAt(elf, *address + kPointerAt) : std::string();
  }
  const auto length = static_cast<uint8_t>(info[kInlineAt]);
  return Checked(std::string_view(info).substr(kInlineAt + 1, length));
}

}  // namespace sonde::binary
