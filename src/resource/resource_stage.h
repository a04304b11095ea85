// SPDX-License-Identifier: Apache-2.0
// Who was behind a span: one immutable Resource per process, made when the process starts or execs,
// because it may be gone a moment later, and kept for a while after its end. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "resource/owned_resource.h"
#include "resource/process_resource.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {

class ResourceStage {
 public:
  // `host_root` holds etc/ with machine-id, os-release and passwd. ProcessReader::None(): a replay,
  // where only Preload() and events tell about processes.
  static Result<std::unique_ptr<ResourceStage>> Create(const ResourceOptions& options,
                                                       ProcessReader reader,
                                                       MetricRegistry& metrics,
                                                       const std::string& host_root = "");

  // Never null. A hash lookup, except for a process that is asked for the first time (some 100 us).
  // 0 gives ForWire().
  std::shared_ptr<const Resource> ForProcess(uint32_t tgid);
  // For packet captures: no host, no process.
  std::shared_ptr<const Resource> ForWire() const { return wire_; }

  // `event.traced` must say whether the process is traced after the event (Discovery::OnProcess
  // tells); others are ignored.
  void OnProcess(const ProcessEvent& event);
  // Drops what ended more than 60 s ago.
  void OnTick(uint64_t mono_ns);
  // From a recording.
  void Preload(uint32_t tgid, std::shared_ptr<const OwnedResource> resource);

 private:
  struct Entry {
    std::shared_ptr<const OwnedResource> resource;
    // Forked and not asked for yet: `resource` is still the parent's. Most short-lived children
    // never need their own.
    bool forked = false;
    uint32_t parent = 0;
    uint64_t start_ticks = 0;
    uint64_t exit_mono_ns = 0;  // 0 = alive
  };

  ResourceStage(const ResourceOptions& options, ProcessReader reader, MetricRegistry& metrics,
                const std::string& host_root);

  void OnFork(const ProcessEvent& event);
  void OnExec(const ProcessEvent& event);
  void OnExit(const ProcessEvent& event);
  // Empty if the process is gone.
  std::optional<Entry> ReadNow(uint32_t tgid);
  std::shared_ptr<const OwnedResource> Make(const ProcessFacts& facts);
  Entry& Store(uint32_t tgid, Entry entry);
  void NoteExit(uint32_t tgid, uint64_t mono_ns);
  void DropOldestExited();
  void MakeRoom();

  ProcessReader reader_;
  ProcessResource maker_;
  std::shared_ptr<const OwnedResource> wire_;
  absl::flat_hash_map<uint32_t, Entry> entries_;
  std::deque<std::pair<uint32_t, uint64_t>> exited_;  // tgid and when, oldest first
  uint64_t now_mono_ns_ = 0;
  Gauge& held_;
  Counter& gone_;
  Counter& evicted_;
  Counter& malformed_;
  Counter& truncated_;
};

}  // namespace sonde::resource
