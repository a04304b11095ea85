// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/b3.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/id_text.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

constexpr size_t kIdDigits = 16;  // of a span id, and of the shorter trace id

// "d" is debug: sampled, whatever else is said.
std::optional<Sampling> ReadState(std::string_view text) {
  if (text == "1" || text == "d" || text == "true") return Sampling::kYes;
  if (text == "0" || text == "false") return Sampling::kNo;
  return std::nullopt;
}

// Ids of both forms: 16 digits, of the trace also 32.
std::optional<HeaderContext> MakeContext(std::string_view trace_id, std::string_view span_id,
                                         Sampling sampling) {
  if (trace_id.size() != kIdDigits && trace_id.size() != 2 * kIdDigits) return std::nullopt;
  const auto trace = PaddedTraceId(trace_id, kIdDigits);
  const auto span = PaddedSpanId(span_id, kIdDigits);
  if (!trace || !span) return std::nullopt;
  return MakeHeaderContext(*trace, *span, sampling, LinkMethod::kB3);
}

// Only "deny" says something without ids: to accept would be our own decision anyway.
std::optional<HeaderContext> DecisionOnly(std::optional<Sampling> sampling) {
  if (sampling != Sampling::kNo) return std::nullopt;
  return MakeHeaderContext({}, {}, Sampling::kNo, LinkMethod::kB3);
}

std::optional<HeaderContext> ExtractMulti(const std::vector<HttpHeader>& headers) {
  const auto flags = OnlyValue(headers, "x-b3-flags");
  const auto sampled = OnlyValue(headers, "x-b3-sampled");
  std::optional<Sampling> state;
  if (flags == "1") {
    state = Sampling::kYes;  // debug
  } else if (sampled) {
    state = ReadState(*sampled);
    if (!state) return std::nullopt;
  }
  const auto trace_id = OnlyValue(headers, "x-b3-traceid");
  const auto span_id = OnlyValue(headers, "x-b3-spanid");
  if (!trace_id && !span_id) return DecisionOnly(state);
  if (!trace_id || !span_id) return std::nullopt;
  return MakeContext(*trace_id, *span_id, state.value_or(Sampling::kDeferred));
}

}  // namespace

std::optional<HeaderContext> ParseB3(std::string_view value) {
  if (value.find('-') == std::string_view::npos) return DecisionOnly(ReadState(value));
  const std::string_view trace_id = TakeField(value, '-');
  const bool more = value.find('-') != std::string_view::npos;
  const std::string_view span_id = TakeField(value, '-');
  if (!more) return MakeContext(trace_id, span_id, Sampling::kDeferred);
  const bool has_parent = value.find('-') != std::string_view::npos;
  const auto state = ReadState(TakeField(value, '-'));
  if (!state || (has_parent && !PaddedSpanId(value, kIdDigits))) return std::nullopt;
  return MakeContext(trace_id, span_id, *state);
}

std::optional<HeaderContext> ExtractB3(const std::vector<HttpHeader>& headers) {
  if (const auto single = OnlyValue(headers, "b3")) {
    if (auto context = ParseB3(*single)) return context;
  }
  return ExtractMulti(headers);
}

}  // namespace sonde::trace
