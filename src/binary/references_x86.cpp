// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "binary/references.h"

namespace sonde::binary::x86 {
namespace {

// What the last four bytes, after `prefix` others, are the distance to.
std::optional<uint64_t> Relative(std::string_view code, size_t prefix, uint64_t address) {
  int32_t distance = 0;
  if (code.size() < prefix + sizeof(distance)) return std::nullopt;
  std::memcpy(&distance, code.data() + prefix, sizeof(distance));
  return address + prefix + sizeof(distance) + static_cast<uint64_t>(int64_t{distance});
}

}  // namespace

std::optional<uint64_t> CallTarget(std::string_view code, uint64_t address) {
  const bool calls = code.starts_with('\xe8') || code.starts_with('\xe9');
  return calls ? Relative(code, 1, address) : std::nullopt;
}

// rex.w 8d modrm distance: lea reg, [rip + distance]
std::optional<uint64_t> NamedAddress(std::string_view code, uint64_t address) {
  if (code.size() < kNameBytes) return std::nullopt;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(code[at]); };
  const bool takes = byte(1) == 0x8d && (byte(0) & 0xfbU) == 0x48 && (byte(2) & 0xc7U) == 0x05;
  return takes ? Relative(code, 3, address) : std::nullopt;
}

// `[endbr64] [mov r11d, number] [bnd] jmp [rip + slot]`, as binutils, lld and mold
// write it.
std::optional<uint64_t> SlotOfStub(std::string_view code, uint64_t address) {
  constexpr std::string_view kEndBranch("\xf3\x0f\x1e\xfa", 4);
  constexpr std::string_view kNumber("\x41\xbb", 2);
  constexpr std::string_view kJumpThrough("\xff\x25", 2);
  size_t at = code.starts_with(kEndBranch) ? kEndBranch.size() : 0;
  if (code.substr(at).starts_with(kNumber)) at += kNumber.size() + sizeof(uint32_t);
  if (at >= code.size()) return std::nullopt;
  if (code.substr(at).starts_with('\xf2')) ++at;
  int32_t distance = 0;
  if (!code.substr(at).starts_with(kJumpThrough)) return std::nullopt;
  at += kJumpThrough.size();
  if (code.size() < at + sizeof(distance)) return std::nullopt;
  std::memcpy(&distance, code.data() + at, sizeof(distance));
  return address + at + sizeof(distance) + static_cast<uint64_t>(int64_t{distance});
}

}  // namespace sonde::binary::x86
