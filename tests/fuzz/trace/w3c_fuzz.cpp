// SPDX-License-Identifier: Apache-2.0
// Any header bytes: what is accepted must be what the recommendation allows to be passed on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "trace/propagation/w3c.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// Input: lines; those that begin with 'p' are traceparent headers, all others tracestate.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<sonde::HttpHeader> headers;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const bool parent = line.starts_with('p');
    headers.push_back(
        {parent ? "traceparent" : "tracestate", std::string(parent ? line.substr(1) : line)});
  }
  const auto context = sonde::trace::ExtractW3c(headers);
  if (!context) return 0;
  Require(context->trace_id.valid() && context->span_id.valid());
  Require(context->flags <= 3);
  Require(context->tracestate.size() <= 512);
  Require(std::ranges::count(context->tracestate, ',') < 32);
  // Normal form is a fixed point.
  Require(context->tracestate.empty() ||
          sonde::trace::ParseTracestate({context->tracestate}) == context->tracestate);
  return 0;
}
