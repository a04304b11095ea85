// SPDX-License-Identifier: Apache-2.0
#include "container/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::container {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the character at the start by its first byte, 0 if the bytes are none. Overlong forms
// and surrogates pass: the exporters, which have the last word on text, repair those.
size_t CharacterLength(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead < 0x80                    ? 1
                        : lead >= 0xC2 && lead <= 0xDF ? 2
                        : lead >= 0xE0 && lead <= 0xEF ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  const bool continued = std::ranges::all_of(
      text.substr(1, length - 1), [](char c) { return (static_cast<uint8_t>(c) & 0xC0U) == 0x80; });
  return continued ? length : 0;
}

bool IsControl(std::string_view character) {
  const auto lead = static_cast<uint8_t>(character[0]);
  if (character.size() == 1) return lead < 0x20 || lead == 0x7F;
  return character.size() == 2 && lead == 0xC2 && static_cast<uint8_t>(character[1]) < 0xA0;
}

}  // namespace

std::string CleanText(std::string_view text, size_t limit, size_t* cut) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
    if (length != 0 && IsControl(piece)) piece = " ";
    if (clean.size() + piece.size() > limit) {
      if (cut != nullptr) ++*cut;
      break;
    }
    clean.append(piece);
  }
  return clean;
}

ImageName SplitImageName(std::string_view text) {
  ImageName image;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    image.digest = text.substr(at + 1);
    text = text.substr(0, at);
  }
  // A colon before the last slash belongs to the registry's port.
  const size_t colon = text.rfind(':');
  const size_t slash = text.rfind('/');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    image.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  image.name = text;
  return image;
}

}  // namespace sonde::container
