// SPDX-License-Identifier: Apache-2.0
#include "discovery/census.h"

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "discovery/selection.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {
namespace {

void Inherit(std::vector<CensusEntry>& entries) {
  absl::flat_hash_map<uint32_t, std::vector<size_t>> children;
  std::vector<size_t> pending;
  for (size_t i = 0; i < entries.size(); ++i) {
    children[entries[i].facts.parent].push_back(i);
    if (entries[i].verdict.selected) pending.push_back(i);
  }
  while (!pending.empty()) {
    const size_t at = pending.back();
    const uint32_t parent = entries[at].facts.pid;
    pending.pop_back();
    const auto found = children.find(parent);
    if (found == children.end()) continue;
    for (const size_t i : found->second) {
      CensusEntry& child = entries[i];
      if (child.verdict.selected || child.verdict.excluded || child.verdict.waits) continue;
      child.verdict = {.selected = true,
                       .rule = "inherited from " + std::to_string(parent),
                       .settings = entries[at].verdict.settings};
      child.inherited = true;
      child.parent = parent;
      pending.push_back(i);
    }
  }
}

}  // namespace

std::vector<CensusEntry> TakeCensus(const ProcessReader& reader, const Selection& selection,
                                    uint32_t self, uint32_t more_fields) {
  std::vector<CensusEntry> entries;
  for (const uint32_t pid : reader.Pids()) {
    if (pid == self) continue;
    auto facts = reader.Read(pid, selection.fields() | more_fields, selection.wanted_env());
    if (!facts || facts->kernel_thread) continue;
    CensusEntry& entry = entries.emplace_back();
    entry.facts = std::move(*facts);
    entry.verdict = selection.Decide(entry.facts);
  }
  Inherit(entries);
  return entries;
}

}  // namespace sonde::discovery
