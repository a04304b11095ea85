// SPDX-License-Identifier: Apache-2.0
// Metrics as Prometheus text (exposition format 0.0.4).
#pragma once

#include <string>
#include <vector>

#include "sonde/base/metrics.h"

namespace sonde::admin {

// Families and labels whose names Prometheus does not admit are left out.
std::string PrometheusText(const std::vector<MetricFamily>& families);

}  // namespace sonde::admin
