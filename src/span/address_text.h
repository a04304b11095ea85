// SPDX-License-Identifier: Apache-2.0
// Endpoint addresses as text, without the cost of inet_ntop for the usual IPv4.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "sonde/pipeline/event.h"

namespace sonde::span {

// Same text as Endpoint::AddressText(), held here.
class AddressText {
 public:
  explicit AddressText(const Endpoint& endpoint);
  std::string_view view() const {
    return size_ > 0 ? std::string_view(text_.data(), size_) : long_;
  }

 private:
  void AppendOctet(uint8_t octet);

  std::array<char, 15> text_{};  // "255.255.255.255"
  size_t size_ = 0;
  std::string long_;  // anything but IPv4
};

}  // namespace sonde::span
