// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/key.h"

namespace sonde::config {

// The rows of sonde.metrics.
void AddMetricKeys(KeyTable& table);

}  // namespace sonde::config
