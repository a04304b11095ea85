// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "binary/references.h"

namespace sonde::binary::x86 {

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
