// SPDX-License-Identifier: Apache-2.0
// Answers of gRPC servers, which may be anything.
#pragma once

#include <string_view>

namespace sonde::container {

// False: not such a message.
template <typename Message>
bool Parse(std::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace sonde::container
