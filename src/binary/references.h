// SPDX-License-Identifier: Apache-2.0
// What single instructions refer to, read from their encoding: for searches through all the code of
// a file, where a decoder would do too much, and for stubs. Private to src/binary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::binary {

// Of every architecture: how far apart instructions may begin, how many bytes each function looks
// at, and
//   CallTarget    where a direct call or jump at `address` leads to
//   NamedAddress  the address of something (a text, as a rule) that is taken there
//   SlotOfStub    the slot of the global offset table that a stub of the procedure linkage table
//   jumps through
// Empty: it is no such instruction, or `code` is too short.
namespace x86 {

inline constexpr size_t kInstructionStep = 1;
inline constexpr size_t kCallBytes = 5;
inline constexpr size_t kNameBytes = 7;
std::optional<uint64_t> CallTarget(std::string_view code, uint64_t address);
std::optional<uint64_t> NamedAddress(std::string_view code, uint64_t address);
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
