// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/trace_bin.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/propagation/propagator.h"

namespace sonde::trace {
namespace {

constexpr std::string_view kHeader = "grpc-trace-bin";
// A context has 29 bytes; more may follow, but not without end.
constexpr size_t kMaxText = 512;
constexpr uint8_t kSampled = 1;

// The bytes of field `id`, which must come next.
std::optional<std::string_view> TakeField(std::string_view& rest, uint8_t id, size_t size) {
  if (rest.size() < 1 + size || static_cast<uint8_t>(rest.front()) != id) return std::nullopt;
  const std::string_view value = rest.substr(1, size);
  rest.remove_prefix(1 + size);
  return value;
}

}  // namespace

std::optional<HeaderContext> ParseTraceBin(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != 0) return std::nullopt;
  bytes.remove_prefix(1);
  HeaderContext context;
  const auto trace_id = TakeField(bytes, 0, context.trace_id.bytes.size());
  if (!trace_id) return std::nullopt;
  const auto span_id = TakeField(bytes, 1, context.span_id.bytes.size());
  if (!span_id) return std::nullopt;
  std::ranges::copy(*trace_id, context.trace_id.bytes.begin());
  std::ranges::copy(*span_id, context.span_id.bytes.begin());
  if (!context.trace_id.valid() || !context.span_id.valid()) return std::nullopt;
  if (const auto options = TakeField(bytes, 2, 1)) {
    context.flags = static_cast<uint8_t>(options->front()) & kSampled;
  }
  context.format = LinkMethod::kGrpcTraceBin;
  return context;
}

std::optional<HeaderContext> ExtractTraceBin(const std::vector<HttpHeader>& headers) {
  const HttpHeader* found = nullptr;
  for (const HttpHeader& header : headers) {
    if (header.name != kHeader) continue;
    if (found != nullptr) return std::nullopt;
    found = &header;
  }
  // Padding is optional in gRPC; absl takes both.
  std::string bytes;
  if (found == nullptr || found->value.size() > kMaxText ||
      !absl::Base64Unescape(found->value, &bytes)) {
    return std::nullopt;
  }
  return ParseTraceBin(bytes);
}

}  // namespace sonde::trace
