// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/jaeger.h"

#include <algorithm>
#include <array>
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

constexpr size_t kMaxText = 128;  // 32 + 16 + 16 + 2 digits and three encoded colons are 75
constexpr unsigned kSampled = 1;
constexpr unsigned kDebug = 2;  // implies sampled

std::string WithColons(std::string_view value) {
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string_view rest = value.substr(i, 3);
    if (rest == "%3A" || rest == "%3a") {
      text.push_back(':');
      i += 2;
    } else {
      text.push_back(value[i]);
    }
  }
  return text;
}

// A byte in one or two digits.
std::optional<unsigned> Flags(std::string_view text) {
  if (text.empty() || text.size() > 2) return std::nullopt;
  const auto byte = OpaqueId<1>::FromHex(text.size() == 1 ? "0" + std::string(text) : text);
  if (!byte) return std::nullopt;
  return byte->bytes[0];
}

}  // namespace

std::optional<HeaderContext> ParseUberTraceId(std::string_view value) {
  if (value.size() > kMaxText) return std::nullopt;
  const std::string text = WithColons(value);
  if (std::ranges::count(text, ':') != 3) return std::nullopt;
  std::array<std::string_view, 4> fields;
  std::string_view rest = text;
  for (std::string_view& field : fields) field = TakeField(rest, ':');
  const auto trace_id = PaddedTraceId(fields[0], 1);
  const auto span_id = PaddedSpanId(fields[1], 1);
  const auto flags = Flags(fields[3]);  // the parent's parent, fields[2], is deprecated
  if (!trace_id || !span_id || !flags) return std::nullopt;
  const Sampling sampling = (*flags & (kSampled | kDebug)) != 0 ? Sampling::kYes : Sampling::kNo;
  return MakeHeaderContext(*trace_id, *span_id, sampling, LinkMethod::kJaeger);
}

std::optional<HeaderContext> ExtractJaeger(const std::vector<HttpHeader>& headers) {
  const auto value = OnlyValue(headers, "uber-trace-id");
  return value ? ParseUberTraceId(*value) : std::nullopt;
}

}  // namespace sonde::trace
