// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/propagator.h"

#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/pipeline/exchange.h"
#include "trace/propagation/trace_bin.h"
#include "trace/propagation/w3c.h"

namespace sonde::trace {
namespace {

struct Format {
  std::string_view name;
  ExtractContext extract;  // null: carries no parent, or is not read yet
};

// In text, or else as gRPC metadata carries it.
std::optional<HeaderContext> ExtractTraceContext(const std::vector<HttpHeader>& headers) {
  auto context = ExtractW3c(headers);
  return context ? context : ExtractTraceBin(headers);
}

constexpr std::array kFormats = std::to_array<Format>({
    {.name = "tracecontext", .extract = ExtractTraceContext},
    {.name = "baggage", .extract = nullptr},
    {.name = "none", .extract = nullptr},
    {.name = "b3", .extract = nullptr},
    {.name = "b3multi", .extract = nullptr},
    {.name = "jaeger", .extract = nullptr},
    {.name = "xray", .extract = nullptr},
    {.name = "ottrace", .extract = nullptr},
    {.name = "datadog", .extract = nullptr},
});

}  // namespace

Result<Propagators> Propagators::Create(const std::vector<std::string>& names) {
  Propagators out;
  for (const std::string& name : names) {
    const auto* format = std::ranges::find(kFormats, std::string_view(name), &Format::name);
    if (format == kFormats.end()) {
      return absl::InvalidArgumentError(
          "unknown propagator '" + name +
          "'; expected tracecontext, baggage, b3, b3multi, jaeger, xray, datadog or none");
    }
    if (format->extract != nullptr) out.formats_.push_back(format->extract);
  }
  return out;
}

std::optional<HeaderContext> Propagators::Extract(const std::vector<HttpHeader>& headers) const {
  for (const ExtractContext extract : formats_) {
    if (auto context = extract(headers)) return context;
  }
  return std::nullopt;
}

}  // namespace sonde::trace
