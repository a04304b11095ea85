// SPDX-License-Identifier: Apache-2.0
// Protobuf wire format, appended. Only what OTLP needs. It exists because building the generated
// messages costs several times the bytes it writes (tests/bench/exporter); field numbers still come
// from the generated code, and tests read everything back with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "exporter/byte_buffer.h"
#include "exporter/utf8.h"

namespace sonde::exporter {

enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

// Bytes that a varint takes, 1 to 10.
inline size_t VarintSize(uint64_t value) {
  return static_cast<size_t>((70 - __builtin_clzll(value | 1)) / 7);
}

inline char* PutVarint(char* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

class ProtoWriter {
 public:
  explicit ProtoWriter(ByteBuffer& out) : out_(out) {}

  void Varint(int field, uint64_t value) {
    char* const start = out_.Room(2 * kMaxVarint);
    out_.Commit(
        static_cast<size_t>(PutVarint(PutTag(start, field, WireType::kVarint), value) - start));
  }
  void Fixed64(int field, uint64_t value) {
    Fixed(field, WireType::kFixed64, &value, sizeof(value));
  }
  void Fixed32(int field, uint32_t value) {
    Fixed(field, WireType::kFixed32, &value, sizeof(value));
  }
  void Double(int field, double value) { Fixed(field, WireType::kFixed64, &value, sizeof(value)); }

  // Zigzag: small negative numbers are short too.
  void Sint(int field, int32_t value) {
    Varint(field, (static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31));
  }
  // Packed; T has 8 bytes.
  template <typename T>
  void PackedFixed64(int field, const std::vector<T>& values) {
    static_assert(sizeof(T) == 8);
    Bytes(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  }
  void PackedVarint(int field, const std::vector<uint64_t>& values) {
    const Mark mark = Begin(field);
    for (const uint64_t value : values) {
      char* const start = out_.Room(kMaxVarint);
      out_.Commit(static_cast<size_t>(PutVarint(start, value) - start));
    }
    End(mark);
  }

  void Bytes(int field, std::string_view bytes) {
    char* const start = out_.Room((2 * kMaxVarint) + bytes.size());
    char* to = PutVarint(PutTag(start, field, WireType::kLength), bytes.size());
    std::memcpy(to, bytes.data(), bytes.size());
    out_.Commit(static_cast<size_t>(to + bytes.size() - start));
  }
  void String(int field, std::string_view text) {
    if (IsValidUtf8(text)) {
      Bytes(field, text);
    } else {
      Bytes(field, RepairUtf8(text));
    }
  }

  // A nested message whose length is not known before it is written: Begin() leaves `expected`
  // bytes for the length and End() moves the message if it needed fewer or more.
  struct Mark {
    size_t body = 0;
    size_t length_bytes = 0;
  };
  Mark Begin(int field, size_t expected = 2) {
    char* const start = out_.Room(2 * kMaxVarint);
    out_.Commit(static_cast<size_t>(PutTag(start, field, WireType::kLength) - start) + expected);
    return {out_.size(), expected};
  }
  void End(Mark mark) {
    const size_t length = out_.size() - mark.body;
    const size_t needed = VarintSize(length);
    if (needed > mark.length_bytes) out_.Room(needed - mark.length_bytes);
    char* const at = out_.data() + mark.body - mark.length_bytes;
    if (needed != mark.length_bytes) {
      std::memmove(at + needed, at + mark.length_bytes, length);
      out_.Commit(
          needed -
          mark.length_bytes);  // wraps around when it shrinks: unsigned arithmetic is modular
    }
    PutVarint(at, length);
  }

 private:
  static constexpr size_t kMaxVarint = 10;

  static char* PutTag(char* to, int field, WireType type) {
    return PutVarint(to, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(type));
  }
  // Little-endian on the wire and on every host sonde builds for (x86-64, arm64).
  void Fixed(int field, WireType type, const void* value, size_t bytes) {
    char* const start = out_.Room(kMaxVarint + bytes);
    char* const to = PutTag(start, field, type);
    std::memcpy(to, value, bytes);
    out_.Commit(static_cast<size_t>(to - start) + bytes);
  }

  ByteBuffer& out_;
};

}  // namespace sonde::exporter
