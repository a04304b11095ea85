// SPDX-License-Identifier: Apache-2.0
// The spans of one trace as an indented tree with a time bar relative to the whole.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "exporter/console/style.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Appends the lines; returns how many. Spans whose parent is not among them are roots, also those
// that claim each other as parents. More than 100 spans end in a line that says how many were left
// out.
size_t AppendTree(std::string& out, const std::vector<Span>& spans, const Style& style);

}  // namespace sonde::exporter
