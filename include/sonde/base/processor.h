// SPDX-License-Identifier: Apache-2.0
// Which processors something is known to work on. A traced program is of the host's processor.
#pragma once

#include <cstdint>

namespace sonde {

enum class Processors : uint8_t {
  kX86,          // x86-64 only: it rests on that machine code or that memory layout
  kX86AndArm64,  // proven on both
};

constexpr bool IncludesHost(Processors processors) {
#if defined(__x86_64__)
  return processors == Processors::kX86 || processors == Processors::kX86AndArm64;
#else
  return processors == Processors::kX86AndArm64;
#endif
}

// Why something is refused where IncludesHost is false; follows "because", or stands alone.
inline constexpr char kOtherProcessor[] = "where to look for it is known on x86-64 only";

}  // namespace sonde
