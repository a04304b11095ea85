// SPDX-License-Identifier: Apache-2.0
// B3, Zipkin's format: one header `b3`, or several `x-b3-*`.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

// The single header, or else the many; which of them were configured makes no difference, as
// OpenTelemetry has it. A decision "deny" without ids is a context that names no trace.
std::optional<HeaderContext> ExtractB3(const std::vector<HttpHeader>& headers);

// {TraceId}-{SpanId}[-{SamplingState}[-{ParentSpanId}]], or {SamplingState} alone.
std::optional<HeaderContext> ParseB3(std::string_view value);

}  // namespace sonde::trace
