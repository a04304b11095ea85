// SPDX-License-Identifier: Apache-2.0
// `sonde run`: from configuration to the exit code. Main thread, which becomes the drain thread.
#pragma once

#include <functional>

#include "config/invocation.h"
#include "sonde/base/result.h"

namespace sonde::agent {

// The same command line and environment once more, with the file as it is now.
using ParseAgain = std::function<Result<config::Invocation>()>;

int Run(const config::Invocation& invocation, const ParseAgain& again);

}  // namespace sonde::agent
