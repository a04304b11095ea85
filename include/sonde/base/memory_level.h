// SPDX-License-Identifier: Apache-2.0
// How much memory the agent has left, told to the stages that hold much of it.
#pragma once

#include <cstdint>

namespace sonde {

enum class MemoryLevel : uint8_t {
  kFine,
  kSoft,  // near the limit: hold less, give up the oldest
  kHard,  // at the limit: take nothing new
};

}  // namespace sonde
