// SPDX-License-Identifier: Apache-2.0
// Datadog: x-datadog-trace-id, -parent-id, -sampling-priority, and the upper half of the trace id
// in -tags.
#pragma once

#include <optional>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

std::optional<HeaderContext> ExtractDatadog(const std::vector<HttpHeader>& headers);

}  // namespace sonde::trace
