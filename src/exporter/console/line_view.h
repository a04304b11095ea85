// SPDX-License-Identifier: Apache-2.0
// One span on one line: as columns for the eye and for grep, or as a JSON object for jq.
#pragma once

#include <string>

#include "exporter/byte_buffer.h"
#include "exporter/console/style.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// TIME TRACE KIND STATUS DURATION SERVICE [→ PEER] NAME [PATH] [✗ ERROR]. Cut to the width of a
// terminal, whole in a pipe.
void AppendLine(std::string& out, const Span& span, const Style& style);

// {"time","trace_id","span_id","parent_span_id","kind","service","name","duration_ns","status","attributes":{...}}:
// flat, attributes by name. OTLP/JSON is what `--export file=-` writes.
void AppendJsonLine(ByteBuffer& out, const Span& span);

}  // namespace sonde::exporter
