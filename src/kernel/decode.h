// SPDX-License-Identifier: Apache-2.0
// Records to typed events. Records come from our own kernel programs, but also from recordings,
// which are input files: every length is checked, nothing is trusted.
#pragma once

#include <string_view>

#include "sonde/pipeline/event.h"

namespace sonde::kernel {

enum class DecodeOutcome {
  kDone,     // the handler was called
  kUnknown,  // a type this version does not know; skipped
  kInvalid,  // shorter than it says, or impossible values; skipped
};

// `record` is one whole record, header included, at any alignment.
DecodeOutcome Decode(std::string_view record, EventHandler& handler);

}  // namespace sonde::kernel
