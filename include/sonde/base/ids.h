// SPDX-License-Identifier: Apache-2.0
// Trace and span ids as W3C Trace Context defines them: 16 and 8 opaque bytes, all zero is invalid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace sonde {

// A fixed number of opaque bytes with a lower-case hexadecimal text form.
template <size_t N>
struct OpaqueId {
  std::array<uint8_t, N> bytes{};

  bool valid() const { return bytes != std::array<uint8_t, N>{}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }

  std::string ToHex() const {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text(2 * N, '0');
    for (size_t i = 0; i < N; ++i) {
      text[2 * i] = kDigits[bytes[i] >> 4];
      text[2 * i + 1] = kDigits[bytes[i] & 15];
    }
    return text;
  }

  // Exactly 2*N lower-case hexadecimal digits, as traceparent demands; upper case is refused.
  static std::optional<OpaqueId> FromHex(std::string_view text) {
    if (text.size() != 2 * N) return std::nullopt;
    OpaqueId id;
    for (size_t i = 0; i < 2 * N; ++i) {
      const char c = text[i];
      int digit = 0;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else {
        return std::nullopt;
      }
      id.bytes[i / 2] = static_cast<uint8_t>(id.bytes[i / 2] << 4 | digit);
    }
    return id;
  }

  friend bool operator==(const OpaqueId&, const OpaqueId&) = default;
};

using TraceId = OpaqueId<16>;
using SpanId = OpaqueId<8>;

struct OpaqueIdHash {
  template <size_t N>
  size_t operator()(const OpaqueId<N>& id) const {
    // Ids are random, so any 8 bytes are a good hash.
    uint64_t value = 0;
    std::memcpy(&value, id.bytes.data(), sizeof(value));
    return value;
  }
};

// Source of ids. Random by default; tests and golden replays pass a seeded one. One thread.
class IdGenerator {
 public:
  // Seeds from the operating system.
  IdGenerator();
  explicit IdGenerator(uint64_t seed);

  TraceId NewTraceId();
  SpanId NewSpanId();

 private:
  uint64_t Next();  // xoshiro256**

  std::array<uint64_t, 4> state_{};
};

}  // namespace sonde
