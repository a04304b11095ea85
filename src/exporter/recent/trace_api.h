// SPDX-License-Identifier: Apache-2.0
// /api/traces, /api/services and /api/trace-at: what the admin endpoint tells of recent traces.
#pragma once

#include <vector>

#include "exporter/recent/recent_traces.h"
#include "sonde/base/page.h"

namespace sonde::exporter {

// `recent` outlives the pages.
std::vector<Page> TracePages(const RecentTraces& recent);

}  // namespace sonde::exporter
