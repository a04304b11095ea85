// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Shared because every exporter reads the same spans, each on its own thread and in its own time;
// immutable.
using Batch = std::shared_ptr<const std::vector<Span>>;

}  // namespace sonde::exporter
