// SPDX-License-Identifier: Apache-2.0
// Numbers out of a fuzzer's bytes; 0 when they are used up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace sonde::testing {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  uint32_t Two() {
    const uint32_t high = Byte();
    return high << 8 | Byte();
  }

 private:
  std::string_view rest_;
};

// A property that must hold for any input.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

// Scatters bits (splitmix64).
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace sonde::testing
