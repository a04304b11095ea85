// SPDX-License-Identifier: Apache-2.0
// Trace contexts in request headers, in whichever formats the operator listed. A format is one file
// beside this one and one line in propagator.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"

namespace sonde::trace {

// The context that a request carries: who its parent is.
struct HeaderContext {
  TraceId trace_id;
  SpanId span_id;
  uint8_t flags = 0;  // W3C trace-flags that are defined: sampled, random
  std::string tracestate;
  LinkMethod format = LinkMethod::kTraceparent;
};

// Reads one format. Nothing there or nothing valid: none. Header names are lower case already.
using ExtractContext = std::optional<HeaderContext> (*)(const std::vector<HttpHeader>& headers);

class Propagators {
 public:
  // Names as in OTEL_PROPAGATORS; their order is the order of precedence. "baggage" and "none"
  // carry no parent. Formats that OpenTelemetry names but sonde does not read yet are passed over;
  // other names are refused.
  static Result<Propagators> Create(const std::vector<std::string>& names);

  // What the first format that finds something valid says.
  std::optional<HeaderContext> Extract(const std::vector<HttpHeader>& headers) const;

 private:
  std::vector<ExtractContext> formats_;
};

}  // namespace sonde::trace
