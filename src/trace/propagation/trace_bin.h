// SPDX-License-Identifier: Apache-2.0
// The header grpc-trace-bin: a trace context in OpenCensus' binary format, which is also the draft
// of a binary form of W3C Trace Context. gRPC libraries without OpenTelemetry send it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

// None if there is no such header, more than one, or one that is no valid context.
std::optional<HeaderContext> ExtractTraceBin(const std::vector<HttpHeader>& headers);

// The decoded bytes: version 0, then the fields trace id (0), span id (1) and options (2), in this
// order. What follows a field that is not known is left alone.
std::optional<HeaderContext> ParseTraceBin(std::string_view bytes);

}  // namespace sonde::trace
