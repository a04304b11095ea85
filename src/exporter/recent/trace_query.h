// SPDX-License-Identifier: Apache-2.0
// What /api/traces is asked for: from the parameters of a URL to a condition on spans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/base/ids.h"
#include "sonde/base/page.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Unix time: seconds, milliseconds, microseconds or nanoseconds, told apart by their size, or RFC
// 3339.
std::optional<uint64_t> ParseWallNs(std::string_view text);

// A span must meet everything that is set.
struct TraceQuery {
  static constexpr size_t kMaxLimit = 1000;

  std::optional<TraceId> trace_id;
  std::string service;
  std::string operation;  // the span's name
  uint64_t min_duration_ns = 0;
  std::optional<SpanStatus> status;
  std::vector<std::pair<std::string, std::string>> attributes;  // of the span or its resource
  uint64_t start_wall_ns = 0;                                   // the span ends after it
  uint64_t end_wall_ns = UINT64_MAX;                            // and starts before it
  size_t limit = 20;                                            // traces

  // A parameter that is unknown or makes no sense: kInvalidArgument, with what was expected.
  static Result<TraceQuery> Parse(const PageParameters& parameters);
  bool Matches(const Span& span) const;
};

}  // namespace sonde::exporter
