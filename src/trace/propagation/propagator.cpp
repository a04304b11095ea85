// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/propagator.h"

#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/b3.h"
#include "trace/propagation/datadog.h"
#include "trace/propagation/jaeger.h"
#include "trace/propagation/ottrace.h"
#include "trace/propagation/trace_bin.h"
#include "trace/propagation/w3c.h"
#include "trace/propagation/xray.h"

namespace sonde::trace {
namespace {

struct Format {
  std::string_view name;
  ExtractContext extract;  // null: carries no parent
  // Header names of the format begin so, the second for a second form.
  std::string_view header = {};
  std::string_view other_header = {};

  bool Has(std::string_view header_name) const {
    return header_name.starts_with(header) ||
           (!other_header.empty() && header_name.starts_with(other_header));
  }
};

// In text, or else as gRPC metadata carries it.
std::optional<HeaderContext> ExtractTraceContext(const std::vector<HttpHeader>& headers) {
  auto context = ExtractW3c(headers);
  return context ? context : ExtractTraceBin(headers);
}

constexpr std::array kFormats = std::to_array<Format>({
    {"tracecontext", ExtractTraceContext, "traceparent", "grpc-trace-bin"},
    {"b3", ExtractB3, "b3", "x-b3-"},
    {"b3multi", ExtractB3, "b3", "x-b3-"},
    {"jaeger", ExtractJaeger, "uber-trace-id"},
    {"xray", ExtractXray, "x-amzn-trace-id"},
    {"datadog", ExtractDatadog, "x-datadog-"},
    {"ottrace", ExtractOtTrace, "ot-tracer-"},
    {"baggage", nullptr},
    {"none", nullptr},
});
constexpr std::string_view kFirstLetters = "tgbxuo";  // of all these headers

std::string KnownNames() {
  std::string text;
  for (const Format& format : kFormats) {
    if (!text.empty()) text += &format == &kFormats.back() ? " or " : ", ";
    text += format.name;
  }
  return text;
}

}  // namespace

HeaderContext MakeHeaderContext(const TraceId& trace_id, const SpanId& span_id, Sampling sampling,
                                LinkMethod format) {
  HeaderContext context;
  context.trace_id = trace_id;
  context.span_id = span_id;
  context.flags = sampling == Sampling::kNo ? 0 : 1;
  context.deferred = sampling == Sampling::kDeferred;
  context.format = format;
  return context;
}

Result<Propagators> Propagators::Create(const std::vector<std::string>& names) {
  Propagators out;
  for (const std::string& name : names) {
    const auto* format = std::ranges::find(kFormats, std::string_view(name), &Format::name);
    if (format == kFormats.end()) {
      return absl::InvalidArgumentError("unknown propagator '" + name + "'; expected " +
                                        KnownNames());
    }
    if (format->extract != nullptr) {
      out.formats_.push_back(static_cast<uint8_t>(format - kFormats.begin()));
    }
  }
  return out;
}

std::optional<HeaderContext> Propagators::Extract(const std::vector<HttpHeader>& headers) const {
  uint32_t present = 0;  // bit: index of the format
  for (const HttpHeader& header : headers) {
    if (header.name.empty() || kFirstLetters.find(header.name[0]) == std::string_view::npos)
      continue;
    for (const uint8_t index : formats_) {
      if (kFormats.at(index).Has(header.name)) present |= 1U << index;
    }
  }
  if (present == 0) return std::nullopt;
  for (const uint8_t index : formats_) {
    if ((present & 1U << index) == 0) continue;
    if (auto context = kFormats.at(index).extract(headers)) return context;
  }
  return std::nullopt;
}

}  // namespace sonde::trace
