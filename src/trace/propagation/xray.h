// SPDX-License-Identifier: Apache-2.0
// AWS X-Ray: the header x-amzn-trace-id.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {

// None without a Parent: what a load balancer adds names a trace, but no span of it.
std::optional<HeaderContext> ExtractXray(const std::vector<HttpHeader>& headers);

// Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0|1|?}, in any order; other fields are
// passed over.
std::optional<HeaderContext> ParseXray(std::string_view value);

}  // namespace sonde::trace
