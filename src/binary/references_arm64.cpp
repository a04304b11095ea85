// SPDX-License-Identifier: Apache-2.0
// Encodings: Arm Architecture Reference Manual, C4.1 and C6.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "binary/references.h"

namespace sonde::binary::arm64 {
namespace {

// The instruction at `index`; 0, which is none, beyond the end.
uint32_t Word(std::string_view code, size_t index) {
  uint32_t word = 0;
  if (code.size() >= (index + 1) * sizeof(word)) {
    std::memcpy(&word, code.data() + index * sizeof(word), sizeof(word));
  }
  return word;
}

// The `bits` lowest of a number with a sign.
int64_t Signed(uint64_t number, unsigned bits) {
  return static_cast<int64_t>(number << (64U - bits)) >> (64U - bits);
}

uint64_t Plus(uint64_t address, int64_t distance) {
  return address + static_cast<uint64_t>(distance);
}

// adrp: an address of which the low 12 bits are 0.
std::optional<uint64_t> Page(uint32_t word, uint64_t address) {
  if ((word & 0x9f000000U) != 0x90000000U) return std::nullopt;
  const uint64_t number = (word >> 5U & 0x7ffffU) << 2U | (word >> 29U & 3U);
  return Plus(address & ~uint64_t{0xfff}, Signed(number << 12U, 33));
}

uint32_t Destination(uint32_t word) { return word & 31U; }
uint32_t Base(uint32_t word) { return word >> 5U & 31U; }
uint32_t Immediate12(uint32_t word) { return word >> 10U & 0xfffU; }

}  // namespace

std::optional<uint64_t> CallTarget(std::string_view code, uint64_t address) {
  const uint32_t word = Word(code, 0);
  if ((word & 0x7c000000U) != 0x14000000U) return std::nullopt;  // b, bl
  return Plus(address, Signed(uint64_t{word & 0x3ffffffU} << 2U, 28));
}

// adrp reg, page; add reg', reg, offset
std::optional<uint64_t> NamedAddress(std::string_view code, uint64_t address) {
  const uint32_t first = Word(code, 0);
  const auto page = Page(first, address);
  if (!page) return std::nullopt;
  for (const size_t index : {size_t{1}, size_t{2}}) {
    const uint32_t word = Word(code, index);
    const bool adds = (word & 0xffc00000U) == 0x91000000U;
    if (adds && Base(word) == Destination(first)) return *page + Immediate12(word);
  }
  return std::nullopt;
}

// `[bti c] adrp x16, page; ldr x17, [x16, offset]`
std::optional<uint64_t> SlotOfStub(std::string_view code, uint64_t address) {
  constexpr uint32_t kLandingPad = 0xd503245f;
  const size_t at = Word(code, 0) == kLandingPad ? 1 : 0;
  const auto page = Page(Word(code, at), address + at * sizeof(uint32_t));
  const uint32_t load = Word(code, at + 1);
  if (!page || (load & 0xffc00000U) != 0xf9400000U || Base(load) != 16 || Destination(load) != 17) {
    return std::nullopt;
  }
  return *page + uint64_t{Immediate12(load)} * sizeof(uint64_t);
}

}  // namespace sonde::binary::arm64
