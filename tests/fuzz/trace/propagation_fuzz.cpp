// SPDX-License-Identifier: Apache-2.0
// Any headers, any order of formats: what is accepted is a context that may be passed on, and the
// first format that accepts is the one that is asked first.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/propagator.h"

namespace {

constexpr std::array<std::string_view, 16> kNames = {"traceparent",
                                                     "tracestate",
                                                     "grpc-trace-bin",
                                                     "b3",
                                                     "x-b3-traceid",
                                                     "x-b3-spanid",
                                                     "x-b3-sampled",
                                                     "x-b3-flags",
                                                     "uber-trace-id",
                                                     "x-amzn-trace-id",
                                                     "x-datadog-trace-id",
                                                     "x-datadog-parent-id",
                                                     "x-datadog-sampling-priority",
                                                     "x-datadog-tags",
                                                     "ot-tracer-traceid",
                                                     "ot-tracer-spanid"};
constexpr std::array<const char*, 7> kFormats = {"tracecontext", "b3",      "b3multi", "jaeger",
                                                 "xray",         "datadog", "ottrace"};

void Require(bool condition) {
  if (!condition) std::abort();
}

void Check(const sonde::trace::HeaderContext& context) {
  Require(context.trace_id.valid() == context.span_id.valid());
  Require(context.names_a_trace() || context.flags == 0);
  Require(context.flags <= 3);
  Require(context.tracestate.size() <= 512);
  Require(context.format != sonde::trace::LinkMethod::kNone);
}

}  // namespace

// Input: lines; of a line the first letter ('a' to 'p') names the header. A first line that begins
// with a digit says how far the list of formats is turned.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<sonde::HttpHeader> headers;
  size_t turn = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) continue;
    if (line[0] >= '0' && line[0] <= '9') {
      turn = static_cast<size_t>(line[0] - '0');
      continue;
    }
    headers.push_back({std::string(kNames[static_cast<uint8_t>(line[0] - 'a') % kNames.size()]),
                       std::string(line.substr(1))});
  }
  std::vector<std::string> names(kFormats.begin(), kFormats.end());
  std::ranges::rotate(names, names.begin() + static_cast<std::ptrdiff_t>(turn % names.size()));
  const auto all = sonde::trace::Propagators::Create(names)->Extract(headers);
  for (const std::string& name : names) {
    const auto one = sonde::trace::Propagators::Create({name})->Extract(headers);
    if (!one) continue;
    Check(*one);
    Require(all && all->format == one->format && all->trace_id == one->trace_id);
    return 0;
  }
  Require(!all);
  return 0;
}
