// SPDX-License-Identifier: Apache-2.0
// OTLP Span.flags: bits 0-7 are the W3C trace flags, 8 and 9 say whether it is known that the
// parent is remote, and whether it is (opentelemetry/proto/trace/v1/trace.proto, SpanFlags).
#pragma once

#include <cstdint>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

inline constexpr uint32_t kHasIsRemote = 0x100;
inline constexpr uint32_t kIsRemote = 0x200;

inline uint32_t FlagsOf(const Span& span) {
  return span.trace_flags | kHasIsRemote | (span.parent_is_remote ? kIsRemote : 0);
}

inline void SetFlags(uint32_t flags, Span& span) {
  span.trace_flags = static_cast<uint8_t>(flags);
  span.parent_is_remote = (flags & kIsRemote) != 0;
}

}  // namespace sonde::exporter
