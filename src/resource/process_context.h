// SPDX-License-Identifier: Apache-2.0
// What an application publishes of itself for readers outside: the process context of OpenTelemetry
// (OTEP 4719), a mapping called OTEL_CTX with a header that leads to a protobuf message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::resource {

using ProcessContext = std::vector<std::pair<std::string, AttributeValue>>;

// `proc`: directory of processes. Empty if the process publishes nothing, or is about to change it.
// `*malformed` is set if what it publishes is of no use. Reads the process's list of mappings (at
// most 4 MiB) and, if there is such a mapping, at most 64 KiB of its memory.
ProcessContext ReadProcessContext(const std::string& proc, uint32_t pid, bool* malformed);

// The payload: a message whose field 1 is a Resource, or, as first proposed, a Resource. At most
// 128 attributes; those of unknown value types are left out.
ProcessContext ParseProcessContext(std::string_view payload, bool* malformed);

}  // namespace sonde::resource
