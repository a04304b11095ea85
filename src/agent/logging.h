// SPDX-License-Identifier: Apache-2.0
// Sets up spdlog, the process-wide log on standard error. Traces go to standard output, never here.
#pragma once

#include "sonde/config/config.h"

namespace sonde::agent {

void ConfigureLogging(const LogOptions& options);

}  // namespace sonde::agent
