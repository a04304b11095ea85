// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/runtimes.h"

#include <array>
#include <span>

#include "sonde/probe/runtime.h"

namespace sonde::probe {

std::span<const Runtime* const> Runtimes() {
  static constexpr std::array kRuntimes = {
      &kCPython, &kCPythonQueue, &kUvloop, &kNode,   &kGo,     &kHotspot,
      &kTokio,   &kHaproxy,      &kRuby,   &kDotnet, &kErlang,
  };
  return kRuntimes;
}

}  // namespace sonde::probe
