// SPDX-License-Identifier: Apache-2.0
#include "trace/link_status.h"

#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/pipeline/event.h"

namespace sonde::trace {

std::string_view RuntimeName(RuntimeKind runtime) {
  switch (runtime) {
    case RuntimeKind::kGo:
      return "go";
    case RuntimeKind::kPython:
      return "cpython";
    case RuntimeKind::kNode:
      return "node";
    case RuntimeKind::kJava:
      return "hotspot";
    case RuntimeKind::kTokio:
      return "tokio";
    case RuntimeKind::kHaproxy:
      return "haproxy";
    case RuntimeKind::kOther:
      return "other";
    case RuntimeKind::kRuby:
      return "ruby";
    case RuntimeKind::kNone:
      break;
  }
  return "none";
}

ProcessLinks* LinkStatus::Of(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  if (found != processes_.end()) return &found->second;
  if (processes_.size() >= kMaxProcesses) return nullptr;
  ProcessLinks& process = processes_[tgid];
  process.tgid = tgid;
  return &process;
}

void LinkStatus::Publish() {
  std::vector<ProcessLinks> copy;
  copy.reserve(processes_.size());
  for (const auto& [tgid, process] : processes_) copy.push_back(process);
  const std::scoped_lock lock(mutex_);
  published_ = std::move(copy);
}

std::vector<ProcessLinks> LinkStatus::Copy() const {
  const std::scoped_lock lock(mutex_);
  return published_;
}

}  // namespace sonde::trace
