// SPDX-License-Identifier: Apache-2.0
// Text that comes from processes is bytes; OTLP strings are UTF-8 and bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sonde::resource {

constexpr size_t kMaxValueBytes = 4096;

// Each byte that is not part of well-formed UTF-8 becomes U+FFFD; cut at a character within `limit`
// bytes.
std::string ToUtf8(std::string_view bytes, size_t limit = kMaxValueBytes);

}  // namespace sonde::resource
