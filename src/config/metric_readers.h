// SPDX-License-Identifier: Apache-2.0
// Which metric readers there are, beside those of the file, and the last steps to their options.
#pragma once

#include <string>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/origin.h"

namespace sonde::config {

// The names of OTEL_METRICS_EXPORTER: otlp, console, prometheus (which is /metrics), none. They
// replace the readers of the file, whose OTLP reader keeps its settings.
void ChooseMetricReaders(const std::vector<std::string>& names, const Origin& origin, Draft& draft,
                         Findings& findings);

// Variables, flags and endpoints; fills config.metric_readers.
void FinishMetricReaders(const FlagValues& flags, const Environment& environment, Draft& draft,
                         Findings& findings);

}  // namespace sonde::config
