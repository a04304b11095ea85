// SPDX-License-Identifier: Apache-2.0
#include "trace/propagation/id_text.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/pipeline/exchange.h"

namespace sonde::trace {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

template <typename Id>
std::optional<Id> Padded(std::string_view hex, size_t min_digits) {
  constexpr size_t kDigits = 2 * sizeof(Id::bytes);
  if (hex.size() < min_digits || hex.size() > kDigits) return std::nullopt;
  std::string text(kDigits, '0');
  std::ranges::transform(hex, text.end() - static_cast<std::ptrdiff_t>(hex.size()), Lower);
  auto id = Id::FromHex(text);
  return id && id->valid() ? id : std::nullopt;
}

void PutBigEndian(uint64_t number, uint8_t* out) {
  for (int i = 7; i >= 0; --i, number >>= 8) out[i] = static_cast<uint8_t>(number);
}

}  // namespace

std::optional<std::string_view> OnlyValue(const std::vector<HttpHeader>& headers,
                                          std::string_view name) {
  std::optional<std::string_view> found;
  for (const HttpHeader& header : headers) {
    if (header.name != name) continue;
    if (found && *found != header.value) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::string_view TakeField(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view field = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return field;
}

std::string_view TrimSpace(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<TraceId> PaddedTraceId(std::string_view hex, size_t min_digits) {
  return Padded<TraceId>(hex, min_digits);
}

std::optional<SpanId> PaddedSpanId(std::string_view hex, size_t min_digits) {
  return Padded<SpanId>(hex, min_digits);
}

std::optional<uint64_t> DecimalId(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number == 0) return std::nullopt;
  return number;
}

TraceId TraceIdFrom(uint64_t high, uint64_t low) {
  TraceId id;
  PutBigEndian(high, id.bytes.data());
  PutBigEndian(low, id.bytes.data() + 8);
  return id;
}

SpanId SpanIdFrom(uint64_t number) {
  SpanId id;
  PutBigEndian(number, id.bytes.data());
  return id;
}

}  // namespace sonde::trace
