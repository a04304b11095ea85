// SPDX-License-Identifier: Apache-2.0
// How linking fares, as the admin endpoint tells it.
#pragma once

#include <string>
#include <vector>

#include "trace/link_status.h"

namespace sonde::agent {

// An array with one object per process: pid, runtime, rules_active, rules_off, linked (by method),
// unlinked, refused, held.
std::string LinksJson(const std::vector<trace::ProcessLinks>& processes);

}  // namespace sonde::agent
