// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sonde::exporter {
namespace {

constexpr size_t kMinWidth = 40;
constexpr size_t kMaxWidth = 180;  // beyond, durations stand too far from the names they belong to

const char* CodeOf(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kBold:
      return "\x1b[1m";
    case Ink::kDim:
      return "\x1b[2m";
    case Ink::kRed:
      return "\x1b[31m";
    case Ink::kGreen:
      return "\x1b[32m";
    case Ink::kYellow:
      return "\x1b[33m";
    case Ink::kBlue:
      return "\x1b[34m";
    case Ink::kMagenta:
      return "\x1b[35m";
    case Ink::kCyan:
      return "\x1b[36m";
    case Ink::kBoldRed:
      return "\x1b[1;31m";
  }
  return "";
}

bool ColorRefused() {
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  const char* term = std::getenv("TERM");
  return (no_color != nullptr && *no_color != '\0') ||
         (term != nullptr && std::string_view(term) == "dumb");
}

}  // namespace

Style Style::Detect(int fd) {
  Style style;
  style.terminal = isatty(fd) == 1;
  style.color = style.terminal && !ColorRefused();
  winsize size{};
  if (style.terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = std::clamp<size_t>(size.ws_col, kMinWidth, kMaxWidth);
  }
  return style;
}

Ink InkOfService(std::string_view service) {
  constexpr std::array<Ink, 5> kInks{Ink::kCyan, Ink::kMagenta, Ink::kGreen, Ink::kBlue,
                                     Ink::kYellow};
  uint32_t hash = 2166136261;  // FNV-1a: std::hash may differ between runs
  for (const char c : service) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  return kInks[hash % kInks.size()];
}

void Paint(std::string& out, const Style& style, Ink ink, std::string_view text) {
  if (!style.color || ink == Ink::kPlain) {
    out += text;
    return;
  }
  out += CodeOf(ink);
  out += text;
  out += "\x1b[0m";
}

}  // namespace sonde::exporter
