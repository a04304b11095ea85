// SPDX-License-Identifier: Apache-2.0
// `sonde run`: from configuration to the exit code. Main thread, which becomes the drain thread.
#pragma once

#include "config/invocation.h"

namespace sonde::agent {

int Run(const config::Invocation& invocation);

}  // namespace sonde::agent
