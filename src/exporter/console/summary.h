// SPDX-License-Identifier: Apache-2.0
// What a reader wants to know of a span at a glance, picked out of its attributes. Raw text: not
// yet safe to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

struct Summary {
  std::string_view service;
  std::string_view name;
  std::string peer;    // client: "host:port" of whom it called
  std::string target;  // path and query, when the name does not say them already
  std::string status;  // "200", or empty
  uint32_t status_code = 0;
  bool failed = false;     // span status error
  std::string_view error;  // error.type or status message, if it says more than the status code
  std::string_view link_method;
  std::string_view unfinished;
};

// Views point into `span` and its resource.
Summary Summarise(const Span& span);

std::string_view KindName(SpanKind kind);

uint64_t DurationOf(const Span& span);  // ns; 0 if a stepped clock put the end before the start

}  // namespace sonde::exporter
