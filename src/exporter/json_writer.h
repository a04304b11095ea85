// SPDX-License-Identifier: Apache-2.0
// JSON appended by hand: fixed parts are literals at the call site, values are escaped here.
// Protobuf's own JSON printer goes through reflection and costs tens of microseconds a span.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporter/byte_buffer.h"
#include "exporter/utf8.h"
#include "sonde/base/ids.h"

namespace sonde::exporter {

class JsonWriter {
 public:
  explicit JsonWriter(ByteBuffer& out) : out_(out) {}

  void Raw(std::string_view text) { out_.Append(text); }
  void Raw(char c) { out_.Append(c); }
  // Quoted and escaped (RFC 8259 section 7); ill-formed UTF-8 becomes U+FFFD.
  void String(std::string_view text);
  void Int(int64_t value);
  void Uint(uint64_t value);
  // Shortest form that reads back the same; NaN and infinities as the quoted names of proto3's JSON
  // mapping.
  void Double(double value);

  template <size_t N>
  void Hex(const OpaqueId<N>& id) {
    constexpr char kDigits[] = "0123456789abcdef";
    char* to = out_.Room(2 * N);
    for (const uint8_t byte : id.bytes) {
      *to++ = kDigits[byte >> 4];
      *to++ = kDigits[byte & 15];
    }
    out_.Commit(2 * N);
  }

 private:
  void Escaped(const CodePoint& point, std::string_view text);

  ByteBuffer& out_;
};

}  // namespace sonde::exporter
