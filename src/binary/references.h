// SPDX-License-Identifier: Apache-2.0
// What single instructions refer to, read from their encoding: for searches through all the code of
// a file, where a decoder would do too much, and for stubs. Private to src/binary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace sonde::binary {

// Of every architecture: how far apart instructions may begin, how many bytes each function looks
// at, and
//   CallTarget    where a direct call or jump at `address` leads to
//   NamedAddress  the address of something (a text, as a rule) that is taken there
//   SlotOfStub    the slot of the global offset table that a stub of the procedure linkage table
//   jumps through
// Empty: it is no such instruction, or `code` is too short. Of x86, whose instructions begin at any
// byte, the two that are asked of every byte are inline.
namespace x86 {

inline constexpr size_t kInstructionStep = 1;
inline constexpr size_t kCallBytes = 5;
inline constexpr size_t kNameBytes = 7;

// What the last four bytes, after `prefix` others, are the distance to.
inline std::optional<uint64_t> Relative(std::string_view code, size_t prefix, uint64_t address) {
  int32_t distance = 0;
  if (code.size() < prefix + sizeof(distance)) return std::nullopt;
  std::memcpy(&distance, code.data() + prefix, sizeof(distance));
  return address + prefix + sizeof(distance) + static_cast<uint64_t>(int64_t{distance});
}

inline std::optional<uint64_t> CallTarget(std::string_view code, uint64_t address) {
  const bool calls = code.starts_with('\xe8') || code.starts_with('\xe9');
  return calls ? Relative(code, 1, address) : std::nullopt;
}

// rex.w 8d modrm distance: lea reg, [rip + distance]
inline std::optional<uint64_t> NamedAddress(std::string_view code, uint64_t address) {
  if (code.size() < kNameBytes) return std::nullopt;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(code[at]); };
  const bool takes = byte(1) == 0x8d && (byte(0) & 0xfbU) == 0x48 && (byte(2) & 0xc7U) == 0x05;
  return takes ? Relative(code, 3, address) : std::nullopt;
}

std::optional<uint64_t> SlotOfStub(std::string_view code, uint64_t address);

}  // namespace x86

namespace arm64 {

inline constexpr size_t kInstructionStep = 4;
inline constexpr size_t kCallBytes = 4;
inline constexpr size_t kNameBytes = 12;  // two instructions, and perhaps one between them
std::optional<uint64_t> CallTarget(std::string_view code, uint64_t address);
std::optional<uint64_t> NamedAddress(std::string_view code, uint64_t address);
std::optional<uint64_t> SlotOfStub(std::string_view code, uint64_t address);

}  // namespace arm64

#if defined(__x86_64__)
namespace native = x86;
#elif defined(__aarch64__)
namespace native = arm64;
#endif

}  // namespace sonde::binary
