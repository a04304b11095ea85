// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/datadog.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/id_text.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

constexpr std::string_view kUpperHalf = "_dd.p.tid=";
constexpr size_t kUpperDigits = 16;
constexpr size_t kMaxTags = 4096;  // Datadog's own limit is 512

// The whole text as a number, or none.
template <typename T>
std::optional<T> Number(std::string_view text, int base) {
  T number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

// 0 if there is none. A malformed one counts as none, as in Datadog's libraries.
uint64_t UpperHalf(std::string_view tags) {
  if (tags.size() > kMaxTags) return 0;
  while (!tags.empty()) {
    const std::string_view tag = TakeField(tags, ',');
    if (!tag.starts_with(kUpperHalf)) continue;
    const std::string_view digits = tag.substr(kUpperHalf.size());
    return digits.size() == kUpperDigits ? Number<uint64_t>(digits, 16).value_or(0) : 0;
  }
  return 0;
}

// Priorities above 0 keep (1: by the sampler, 2: by the user), all others reject.
Sampling Priority(std::string_view text) {
  const auto priority = Number<int>(text, 10);
  if (!priority) return Sampling::kDeferred;
  return *priority > 0 ? Sampling::kYes : Sampling::kNo;
}

}  // namespace

std::optional<HeaderContext> ExtractDatadog(const std::vector<HttpHeader>& headers) {
  const auto trace = OnlyValue(headers, "x-datadog-trace-id");
  const auto parent = OnlyValue(headers, "x-datadog-parent-id");
  if (!trace || !parent) return std::nullopt;
  const auto low = DecimalId(*trace);
  const auto span_id = DecimalId(*parent);
  if (!low || !span_id) return std::nullopt;
  const auto tags = OnlyValue(headers, "x-datadog-tags");
  const auto priority = OnlyValue(headers, "x-datadog-sampling-priority");
  return MakeHeaderContext(TraceIdFrom(tags ? UpperHalf(*tags) : 0, *low), SpanIdFrom(*span_id),
                           priority ? Priority(*priority) : Sampling::kDeferred,
                           LinkMethod::kDatadog);
}

}  // namespace sonde::trace
