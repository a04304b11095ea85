// SPDX-License-Identifier: Apache-2.0
// Where a thread pool's work goes through: the queue of concurrent.futures.
#pragma once

#include "sonde/probe/runtime.h"

namespace sonde::binary {
class Elf;
}

namespace sonde::probe {

// Adds where objects enter and leave a _queue.SimpleQueue. False, and nothing added: the file does
// not have it, or not as it is known.
bool AddQueuePoints(const binary::Elf& elf, RuntimePlan& plan);

}  // namespace sonde::probe
