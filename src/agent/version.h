// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sonde::agent {

// As `sonde version` and the instrumentation scope say it.
constexpr const char* Version() { return SONDE_VERSION; }

}  // namespace sonde::agent
