// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/xray.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/id_text.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

constexpr size_t kMaxText = 1024;  // Lineage and custom fields may follow
constexpr size_t kRootBytes = 35;  // 1 + 1 + 8 + 1 + 24
constexpr size_t kTimeAt = 2;
constexpr size_t kTimeDigits = 8;
constexpr size_t kUniqueAt = 11;

std::optional<TraceId> Root(std::string_view text) {
  if (text.size() != kRootBytes || !text.starts_with("1-") || text[kUniqueAt - 1] != '-')
    return std::nullopt;
  std::string digits(text.substr(kTimeAt, kTimeDigits));
  digits += text.substr(kUniqueAt);
  return PaddedTraceId(digits, digits.size());
}

}  // namespace

std::optional<HeaderContext> ParseXray(std::string_view value) {
  if (value.size() > kMaxText) return std::nullopt;
  std::optional<TraceId> trace_id;
  std::optional<SpanId> span_id;
  Sampling sampling = Sampling::kDeferred;  // also "?": the receiver is to decide
  while (!value.empty()) {
    const std::string_view field = TrimSpace(TakeField(value, ';'));
    if (field.starts_with("Root=")) {
      trace_id = Root(field.substr(5));
    } else if (field.starts_with("Parent=")) {
      span_id = PaddedSpanId(field.substr(7), 16);
    } else if (field == "Sampled=1") {
      sampling = Sampling::kYes;
    } else if (field == "Sampled=0") {
      sampling = Sampling::kNo;
    }
  }
  if (!trace_id || !span_id) return std::nullopt;
  return MakeHeaderContext(*trace_id, *span_id, sampling, LinkMethod::kXray);
}

std::optional<HeaderContext> ExtractXray(const std::vector<HttpHeader>& headers) {
  const auto value = OnlyValue(headers, "x-amzn-trace-id");
  return value ? ParseXray(*value) : std::nullopt;
}

}  // namespace sonde::trace
