// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/ottrace.h"

#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/id_text.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

Sampling Sampled(std::optional<std::string_view> text) {
  if (text == "true" || text == "1") return Sampling::kYes;
  if (text == "false" || text == "0") return Sampling::kNo;
  return Sampling::kDeferred;
}

}  // namespace

std::optional<HeaderContext> ExtractOtTrace(const std::vector<HttpHeader>& headers) {
  const auto trace = OnlyValue(headers, "ot-tracer-traceid");
  const auto span = OnlyValue(headers, "ot-tracer-spanid");
  if (!trace || !span) return std::nullopt;
  // Go's basic tracer writes numbers without leading zeros.
  const auto trace_id = PaddedTraceId(*trace, 1);
  const auto span_id = PaddedSpanId(*span, 1);
  if (!trace_id || !span_id) return std::nullopt;
  return MakeHeaderContext(*trace_id, *span_id, Sampled(OnlyValue(headers, "ot-tracer-sampled")),
                           LinkMethod::kOtTrace);
}

}  // namespace sonde::trace
