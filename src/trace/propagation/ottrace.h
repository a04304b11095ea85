// SPDX-License-Identifier: Apache-2.0
// OpenTracing's basic tracers: ot-tracer-traceid, -spanid, -sampled. Their baggage, ot-baggage-*,
// is the span stage's.
#pragma once

#include <optional>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

std::optional<HeaderContext> ExtractOtTrace(const std::vector<HttpHeader>& headers);

}  // namespace sonde::trace
