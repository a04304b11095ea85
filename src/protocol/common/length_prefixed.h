// SPDX-License-Identifier: Apache-2.0
// Counts messages of one flag byte, four length bytes and so much content (gRPC's framing) in a
// body of which only the first bytes of each piece may have been captured. Never guesses: where the
// beginning of a message was not captured, the count is unknown from there on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sonde::protocol {

class LengthPrefixedWalk {
 public:
  // The next `length` bytes of the body; `captured` are the first of them.
  void Pass(std::string_view captured, uint64_t length) {
    while (length > 0 && known_) {
      uint64_t step = std::min(left_, length);
      if (left_ == 0) {
        if (captured.empty()) {
          known_ = false;
          return;
        }
        Prefix(static_cast<uint8_t>(captured.front()));
        step = 1;
      } else {
        left_ -= step;
      }
      captured.remove_prefix(std::min<size_t>(captured.size(), step));
      length -= step;
      if (left_ == 0 && prefix_ == kPrefixBytes) Finish();
    }
  }
  // Bytes of the body were lost.
  void Lose() { known_ = false; }

  bool known() const { return known_; }
  // There were messages, and the last one is complete.
  bool whole() const { return known_ && messages_ > 0 && prefix_ == 0; }
  uint64_t messages() const { return messages_; }  // that are complete
  uint64_t bytes() const { return bytes_; }        // of them, without prefixes

 private:
  static constexpr uint8_t kPrefixBytes = 5;

  void Prefix(uint8_t byte) {
    if (prefix_ == 0 && byte > 1) known_ = false;  // compressed or not; nothing else is defined
    if (prefix_ > 0) size_ = size_ << 8U | byte;
    if (++prefix_ == kPrefixBytes) left_ = size_;
  }
  void Finish() {
    ++messages_;
    bytes_ += size_;
    prefix_ = 0;
    size_ = 0;
  }

  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;  // of the message's content
  uint32_t size_ = 0;
  uint8_t prefix_ = 0;  // bytes of the prefix that were read
  bool known_ = true;
};

}  // namespace sonde::protocol
