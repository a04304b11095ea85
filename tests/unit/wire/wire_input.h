// SPDX-License-Identifier: Apache-2.0
// Bytes as the wire headers want them, and the plain way to find the end of a head, to compare
// with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "sonde/wire/head_end.h"
#include "sonde/wire/sniff.h"
#include "sonde/wire/wire.h"

namespace sonde::wire_test {

// What is behind the valid bytes is filled with what would mislead most: ends of heads.
class FirstBytes {
 public:
  explicit FirstBytes(std::string_view bytes) : buffer_(std::make_unique<sonde_first_bytes>()) {
    std::memset(buffer_->bytes, '\n', sizeof(buffer_->bytes));
    size_ = std::min(bytes.size(), size_t{SONDE_HEAD_SCAN});
    std::memcpy(buffer_->bytes, bytes.data(), size_);
  }
  const sonde_first_bytes* get() const { return buffer_.get(); }
  uint32_t size() const { return static_cast<uint32_t>(size_); }

 private:
  std::unique_ptr<sonde_first_bytes> buffer_;
  size_t size_ = 0;
};

inline uint32_t HeadEnd(std::string_view bytes, uint32_t& carry) {
  const FirstBytes first(bytes);
  return sonde_head_end(first.get(), first.size(), &carry);
}

// Byte by byte; the same contract.
inline uint32_t PlainHeadEnd(std::string_view bytes, uint32_t& carry) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\n') {
      if (carry != SONDE_CARRY_NONE) return static_cast<uint32_t>(i + 1);
      carry = SONDE_CARRY_LF;
    } else {
      carry = bytes[i] == '\r' && carry == SONDE_CARRY_LF ? SONDE_CARRY_LF_CR : SONDE_CARRY_NONE;
    }
  }
  return 0;
}

inline uint32_t Sniff(std::string_view bytes, bool liberal = false) {
  const FirstBytes first(bytes);
  return sonde_sniff_start(sonde_load(first.get(), 0), sonde_load(first.get(), 8),
                           std::min<uint32_t>(first.size(), SONDE_SNIFF_BYTES), liberal ? 1 : 0);
}

}  // namespace sonde::wire_test
