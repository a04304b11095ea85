// SPDX-License-Identifier: Apache-2.0
#include "exporter/recent/trace_query.h"

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sonde/base/ids.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

bool HasValue(const AttributeValue& value, const std::string& text) {
  return std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return held == text;
        } else if constexpr (std::is_same_v<T, bool>) {
          return text == (held ? "true" : "false");
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return text == std::to_string(held);
        } else if constexpr (std::is_same_v<T, double>) {
          double number = 0;
          return absl::SimpleAtod(text, &number) && number == held;
        } else {
          return std::ranges::find(held, text) != held.end();
        }
      },
      value);
}

bool HasAttribute(const Span& span, const std::string& key, const std::string& text) {
  const AttributeValue* value = FindAttribute(span.attributes, key);
  if (value == nullptr && span.resource != nullptr) {
    value = FindAttribute(span.resource->attributes, key);
  }
  return value != nullptr && HasValue(*value, text);
}

// What went wrong with one parameter: what was expected; empty if nothing did.
using Set = std::string (*)(const std::string& value, TraceQuery& query);

std::string SetTime(const std::string& value, uint64_t& wall_ns) {
  const auto parsed = ParseWallNs(value);
  if (!parsed) return "Unix time or RFC 3339";
  wall_ns = *parsed;
  return "";
}

std::string SetStatus(const std::string& value, TraceQuery& query) {
  if (value == "error") {
    query.status = SpanStatus::kError;
  } else if (value == "ok") {
    query.status = SpanStatus::kOk;
  } else if (value == "unset") {
    query.status = SpanStatus::kUnset;
  } else {
    return "error, ok or unset";
  }
  return "";
}

std::string SetDuration(const std::string& value, TraceQuery& query) {
  absl::Duration duration;
  if (!absl::ParseDuration(value, &duration) || duration < absl::ZeroDuration()) {
    return "a duration such as 100ms";
  }
  query.min_duration_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
  return "";
}

std::string SetAttribute(const std::string& value, TraceQuery& query) {
  const size_t equals = value.find('=');
  if (equals == std::string::npos || equals == 0) return "KEY=VALUE";
  query.attributes.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  return "";
}

std::string SetLimit(const std::string& value, TraceQuery& query) {
  uint32_t number = 0;
  if (!absl::SimpleAtoi(value, &number) || number < 1 || number > TraceQuery::kMaxLimit) {
    return "a number from 1 to 1000";
  }
  query.limit = number;
  return "";
}

std::string SetTraceId(const std::string& value, TraceQuery& query) {
  query.trace_id = TraceId::FromHex(value);
  return query.trace_id ? "" : "32 lower-case hexadecimal digits";
}

const std::map<std::string, Set>& Setters() {
  static const std::map<std::string, Set> setters{
      {"trace_id", SetTraceId},
      {"min_duration", SetDuration},
      {"status", SetStatus},
      {"attribute", SetAttribute},
      {"limit", SetLimit},
      {"service",
       [](const std::string& value, TraceQuery& q) {
         q.service = value;
         return std::string();
       }},
      {"operation",
       [](const std::string& value, TraceQuery& q) {
         q.operation = value;
         return std::string();
       }},
      {"start",
       [](const std::string& value, TraceQuery& q) { return SetTime(value, q.start_wall_ns); }},
      {"end",
       [](const std::string& value, TraceQuery& q) { return SetTime(value, q.end_wall_ns); }}};
  return setters;
}

}  // namespace

std::optional<uint64_t> ParseWallNs(std::string_view text) {
  const std::string owned(text);
  if (uint64_t whole = 0; absl::SimpleAtoi(owned, &whole)) {
    // Any second since 1973 has as many digits as none of the other units has before 2286.
    constexpr uint64_t kSeconds = 100'000'000'000;
    constexpr uint64_t kMillis = kSeconds * 1000;
    constexpr uint64_t kMicros = kMillis * 1000;
    if (whole < kSeconds) return whole * 1'000'000'000;
    if (whole < kMillis) return whole * 1'000'000;
    return whole < kMicros ? whole * 1000 : whole;
  }
  absl::Time time;
  std::string error;
  double seconds = 0;
  if (absl::ParseTime(absl::RFC3339_full, owned, &time, &error)) {
  } else if (absl::SimpleAtod(owned, &seconds) && seconds >= 0 && seconds < 1e11) {
    time = absl::FromUnixSeconds(static_cast<int64_t>(seconds)) +
           absl::Seconds(seconds - static_cast<double>(static_cast<int64_t>(seconds)));
  } else {
    return std::nullopt;
  }
  const int64_t ns = absl::ToUnixNanos(time);
  return ns < 0 ? std::nullopt : std::optional<uint64_t>(static_cast<uint64_t>(ns));
}

Result<TraceQuery> TraceQuery::Parse(const PageParameters& parameters) {
  TraceQuery query;
  for (const auto& [name, value] : parameters) {
    const auto setter = Setters().find(name);
    if (setter == Setters().end()) {
      std::string known;
      for (const auto& [other, set] : Setters()) known += (known.empty() ? "" : ", ") + other;
      return absl::InvalidArgumentError("unknown parameter " + name + "; known are " + known);
    }
    const std::string expected = setter->second(value, query);
    if (!expected.empty()) {
      return absl::InvalidArgumentError(name + ": expected " + expected + ", got \"" + value +
                                        "\"");
    }
  }
  return query;
}

bool TraceQuery::Matches(const Span& span) const {
  if (trace_id && span.trace_id != *trace_id) return false;
  if (!operation.empty() && span.name != operation) return false;
  if (status && span.status != *status) return false;
  if (span.end_wall_ns < start_wall_ns || span.start_wall_ns > end_wall_ns) return false;
  if (span.end_wall_ns < span.start_wall_ns + min_duration_ns) return false;
  if (!service.empty() && (span.resource == nullptr || span.resource->service_name != service)) {
    return false;
  }
  return std::ranges::all_of(attributes, [&](const auto& wanted) {
    return HasAttribute(span, wanted.first, wanted.second);
  });
}

}  // namespace sonde::exporter
