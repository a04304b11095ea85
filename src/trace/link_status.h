// SPDX-License-Identifier: Apache-2.0
// How linking fares in each process, for people who ask: which rules are at work, which were
// switched off, how many calls got a parent and how. Counted by the drain thread; any thread may
// take a copy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "sonde/pipeline/event.h"
#include "trace/link_method.h"

namespace sonde::trace {

struct ProcessLinks {
  uint32_t tgid = 0;
  RuntimeKind runtime = RuntimeKind::kNone;
  std::vector<LinkMethod> active;               // rules that look at its calls
  std::vector<LinkMethod> closed;               // rules that were found unsafe there
  std::array<uint64_t, kLinkMethods> linked{};  // calls with a parent, by method
  uint64_t unlinked = 0;                        // calls without
  uint64_t refused =
      0;              // of these: somebody was named, but not by all, or the call was not contained
  uint64_t held = 0;  // calls that wait for their request's end now
};

std::string_view RuntimeName(RuntimeKind runtime);

class LinkStatus {
 public:
  // Processes kept at once; of further ones nothing is told.
  static constexpr size_t kMaxProcesses = 4096;

  // Drain thread. Null: there are too many.
  ProcessLinks* Of(uint32_t tgid);
  void Forget(uint32_t tgid) { processes_.erase(tgid); }
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [tgid, process] : processes_) visit(process);
  }
  // Makes what was counted visible.
  void Publish();

  // Any thread: as of the last Publish, by ascending tgid.
  std::vector<ProcessLinks> Copy() const;

 private:
  std::map<uint32_t, ProcessLinks> processes_;
  mutable std::mutex mutex_;
  std::vector<ProcessLinks> published_;
};

}  // namespace sonde::trace
