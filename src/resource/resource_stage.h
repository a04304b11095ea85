// SPDX-License-Identifier: Apache-2.0
// Who was behind a span: one immutable Resource per process, made when the process starts or execs,
// because it may be gone a moment later, and kept for a while after its end. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resource/cloud.h"
#include "resource/owned_resource.h"
#include "resource/process_context.h"
#include "resource/process_resource.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

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

  // What is known of a process that runs; null: nothing, or it has ended. Reads nothing.
  std::shared_ptr<const Resource> Alive(uint32_t tgid) const;

  // service.name of what is known of a container or a pod alone; "" if that names none.
  std::string NameAround(const Surroundings& around) const { return maker_.NameAround(around); }

  // The process's container is still being looked up, and its spans may wait: no longer than
  // ResourceOptions::hold after it was first asked for.
  bool Waits(uint32_t tgid) const;
  // What is known now, for a span that was made when `known` was all.
  std::shared_ptr<const Resource> Latest(uint32_t tgid,
                                         const std::shared_ptr<const Resource>& known) const;
  // What the rule says that chose a process; null: nothing of its own. Before the first process.
  using RuleOf = std::function<std::shared_ptr<const RuleSettings>(uint32_t tgid)>;
  void SetRules(RuleOf rule_of) { rule_of_ = std::move(rule_of); }
  // It says something else now, of some process.
  void OnRules();
  std::shared_ptr<const RuleSettings> Rule(uint32_t tgid) const {
    return rule_of_ == nullptr ? nullptr : rule_of_(tgid);
  }

  // The version of a process's runtime where the executable does not tell, "" if it is not known.
  // Before the first process.
  using RuntimeVersionOf = std::function<std::string(uint32_t tgid)>;
  void SetRuntimes(RuntimeVersionOf version_of) { version_of_ = std::move(version_of); }
  // Processes of which it became known.
  void OnRuntimes(const std::vector<uint32_t>& changed);

  // What a cloud says of this host, for all resources.
  void SetCloud(Attributes cloud);

  // Containers of which something else is known now.
  void OnWorkloads(const std::vector<std::string>& changed);

  // `event.traced` must say whether the process is traced after the event (Discovery::OnProcess
  // tells); others are ignored.
  void OnProcess(const ProcessEvent& event);
  // Drops what ended more than 60 s ago.
  void OnTick(uint64_t mono_ns);
  // From a recording.
  void Preload(uint32_t tgid, const std::shared_ptr<const OwnedResource>& resource);

 private:
  struct Entry {
    std::shared_ptr<const OwnedResource> base;  // without `around`
    // Forked and not asked for yet: `base` is still the parent's. Most short-lived children
    // never need their own.
    bool forked = false;
    uint32_t parent = 0;
    uint64_t start_ticks = 0;
    uint64_t exit_mono_ns = 0;  // 0 = alive
    Surroundings around = {};
    bool env_overwritten = false;
    uint64_t asked_mono_ns = 0;  // for `around`
    // What spans get; null until the first. `before`: what they got when less was known.
    std::shared_ptr<const OwnedResource> resource = {};
    std::shared_ptr<const OwnedResource> before = {};
    ProcessContext context = {};  // what it publishes of itself
    uint64_t context_due_ns = 0;  // not looked for before this time
    size_t context_looks = 0;
  };

  ResourceStage(const ResourceOptions& options, ProcessReader reader, MetricRegistry& metrics,
                const std::string& host_root);

  void OnFork(const ProcessEvent& event);
  void OnExec(const ProcessEvent& event);
  void OnExit(const ProcessEvent& event);
  // Empty if the process is gone.
  std::optional<Entry> ReadNow(uint32_t tgid);
  void ReadAgain(uint32_t tgid, Entry& entry);
  std::shared_ptr<const OwnedResource> Make(const ProcessFacts& facts);
  std::shared_ptr<const Resource> ResourceOf(uint32_t tgid, Entry& entry);
  void Describe(uint32_t tgid, Entry& entry);
  void Renew(uint32_t tgid, Entry& entry);
  void LookForContext(uint32_t tgid, Entry& entry);
  Entry& Store(uint32_t tgid, Entry entry);
  void NoteExit(uint32_t tgid, uint64_t mono_ns);
  void DropOldestExited();
  void MakeRoom();

  ProcessReader reader_;
  std::unique_ptr<CloudMetadata> cloud_;  // null: not wanted
  RuleOf rule_of_;
  RuntimeVersionOf version_of_;
  const uint64_t hold_ns_;
  ProcessResource maker_;
  std::shared_ptr<const OwnedResource> wire_;
  absl::flat_hash_map<uint32_t, Entry> entries_;
  std::deque<std::pair<uint32_t, uint64_t>> exited_;  // tgid and when, oldest first
  uint64_t now_mono_ns_ = 0;
  Gauge& held_;
  Counter& gone_;
  Counter& evicted_;
  Counter& malformed_;
  Counter& malformed_context_;
  Counter& truncated_;
};

}  // namespace sonde::resource
