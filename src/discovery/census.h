// SPDX-License-Identifier: Apache-2.0
// Every process that exists now with what would be decided about it, inheritance included. Shared
// by the scan at start and by `sonde processes`, so that the two can never disagree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "discovery/selection.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {

struct CensusEntry {
  ProcessFacts facts;
  Verdict verdict;
  bool inherited = false;  // selected only because an ancestor is
  uint32_t parent = 0;     // the selected parent, if inherited
};

// `self` (sonde's own tgid) and kernel threads are left out. A process whose parent is selected, by
// whatever rule, is selected too unless it is excluded: the same set as if sonde had run before
// they were started.
std::vector<CensusEntry> TakeCensus(const ProcessReader& reader, const Selection& selection,
                                    uint32_t self, uint32_t more_fields = 0);

}  // namespace sonde::discovery
