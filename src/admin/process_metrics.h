// SPDX-License-Identifier: Apache-2.0
// process_*: what Prometheus client libraries say about their own process.
#pragma once

#include <string>
#include <vector>

#include "sonde/base/metrics.h"

namespace sonde::admin {

// Of the process whose /proc directory is `proc_self`. What cannot be read is left out.
std::vector<MetricFamily> ReadProcessMetrics(const std::string& proc_self = "/proc/self");

}  // namespace sonde::admin
