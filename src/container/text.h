// SPDX-License-Identifier: Apache-2.0
// Names and labels are chosen by whoever starts a container: made fit for logs, terminals and OTLP.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sonde::container {

constexpr size_t kMaxNameBytes = 512;
constexpr size_t kMaxKeyBytes = 255;

// Control characters (C0, DEL, C1) become spaces, what is no UTF-8 U+FFFD; cut at a character
// within `limit` bytes, and `*cut` is then counted up.
std::string CleanText(std::string_view text, size_t limit, size_t* cut = nullptr);

// "registry:5000/shop/web:1.2@sha256:..." in its parts; each may be empty.
struct ImageName {
  std::string name;
  std::string tag;
  std::string digest;  // "sha256:..."
};
ImageName SplitImageName(std::string_view text);

}  // namespace sonde::container
