// SPDX-License-Identifier: Apache-2.0
// How the console may look: colours on a terminal that has not refused them (NO_COLOR, TERM=dumb),
// plain text in a pipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::exporter {

struct Style {
  bool color = false;
  bool terminal = false;
  size_t width = 120;  // columns of a line; a pipe has none and gets this much

  // From the descriptor and the environment.
  static Style Detect(int fd);
};

// SGR parameters (ECMA-48); only the eight basic colours, so that the user's palette decides.
enum class Ink : uint8_t {
  kPlain,
  kBold,
  kDim,
  kRed,
  kGreen,
  kYellow,
  kBlue,
  kMagenta,
  kCyan,
  kBoldRed
};

// Ink of a service: the same name has the same colour in every trace. Never red, which means an
// error.
Ink InkOfService(std::string_view service);

// `text` must be safe already.
void Paint(std::string& out, const Style& style, Ink ink, std::string_view text);

}  // namespace sonde::exporter
