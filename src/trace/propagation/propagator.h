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

// What a header says about sampling. kDeferred: nothing, the receiver is to decide.
enum class Sampling : uint8_t { kNo, kYes, kDeferred };

// The context that a request carries: who its parent is. Both ids are valid, or neither is: then
// the header only says that the trace is not to be sampled (B3's "deny").
struct HeaderContext {
  TraceId trace_id;
  SpanId span_id;
  uint8_t flags = 0;      // W3C trace-flags that are defined: sampled, random
  bool deferred = false;  // whether the trace is sampled was not decided yet
  std::string tracestate;
  LinkMethod format = LinkMethod::kTraceparent;

  bool names_a_trace() const { return trace_id.valid(); }
};

// For formats that have no flags of W3C's kind.
HeaderContext MakeHeaderContext(const TraceId& trace_id, const SpanId& span_id, Sampling sampling,
                                LinkMethod format);

// Reads one format. Nothing there or nothing valid: none. Header names are lower case already.
using ExtractContext = std::optional<HeaderContext> (*)(const std::vector<HttpHeader>& headers);

class Propagators {
 public:
  // Names as in OTEL_PROPAGATORS; their order is the order of precedence. "baggage" and "none"
  // carry no parent. Other names than those of the formats are refused.
  static Result<Propagators> Create(const std::vector<std::string>& names);

  // What the first format that finds something valid says. A request without any such header costs
  // one look at the first letter of each name.
  std::optional<HeaderContext> Extract(const std::vector<HttpHeader>& headers) const;

 private:
  std::vector<uint8_t> formats_;  // indices of the table in propagator.cpp
};

}  // namespace sonde::trace
