// SPDX-License-Identifier: Apache-2.0
#include "span/address_text.h"

#include <cstddef>
#include <cstdint>

#include "sonde/pipeline/event.h"

namespace sonde::span {

AddressText::AddressText(const Endpoint& endpoint) {
  if (endpoint.family != 4) {
    long_ = endpoint.AddressText();
    return;
  }
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) text_.at(size_++) = '.';
    AppendOctet(endpoint.address.at(i));
  }
}

void AddressText::AppendOctet(uint8_t octet) {
  if (octet >= 100) text_.at(size_++) = static_cast<char>('0' + (octet / 100));
  if (octet >= 10) text_.at(size_++) = static_cast<char>('0' + (octet / 10 % 10));
  text_.at(size_++) = static_cast<char>('0' + (octet % 10));
}

}  // namespace sonde::span
