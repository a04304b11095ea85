// SPDX-License-Identifier: Apache-2.0
// Decides which processes are traced and tells the kernel side. Runs on the drain thread
// (docs/adr/0005): a decision reads /proc there and then.
//
//   at start (Scan)   selected processes and all their descendants
//   fork              the kernel has marked the child already; its parent is noted
//   exec              an unselected process that now matches is traced; one that was chosen by what
//   exec changes (--exe,
//                     --cmdline, --env ...) and no longer matches is released; chosen by --pid,
//                     launched or inherited stays
//   listen            port rules are asked again at once; existing descendants are traced too
//   container known   its processes are decided anew: traced with their descendants if they match
//   or changed        now, released if they no longer do
//   exit              forgotten
// An exclusion that matches releases a process however it was chosen. sonde itself is never traced.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/census.h"
#include "discovery/selection.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/trace_control.h"

namespace sonde::discovery {

struct ScanSummary {
  size_t seen = 0;
  size_t traced = 0;
  std::vector<uint32_t> missing_pids;  // of --pid: no such process
};

class Discovery {
 public:
  static Result<std::unique_ptr<Discovery>> Create(const DiscoveryOptions& options,
                                                   TraceControl& control, ProcessReader reader,
                                                   MetricRegistry& metrics);

  // Once, after the kernel side reports process events. Looks again until nothing new is found,
  // because a process may have forked between being read and being marked.
  ScanSummary Scan();
  // Other selectors from now on: who no longer matches is released, and what descends from it; who
  // matches now is traced. On an error nothing changes.
  Status Reload(const DiscoveryOptions& options);
  // The COMMAND of `run -- COMMAND`, before its exec: stays traced whatever it executes.
  Status Launch(uint32_t tgid);
  // Says whether the process is traced after the event. `event.traced` itself is the kernel's view
  // at the event.
  bool OnProcess(const ProcessEvent& event);
  // Container ids and pod uids of which something else is known now (WorkloadSource::TakeChanged).
  // Decided with the next tick that is kWorkloadPause after the last, because it reads all of
  // /proc.
  void OnWorkloads(std::vector<std::string> changed);
  void OnTick(uint64_t mono_ns);
  static constexpr uint64_t kWorkloadPauseNs = 100'000'000;

  // What the kernel side must report of processes that are not traced.
  bool needs_exec_events() const;
  bool needs_listen_events() const;

  size_t traced() const { return traced_.size(); }
  // "--exe */nginx", "inherited from 17", or "" for a process that is not traced.
  std::string RuleOf(uint32_t tgid) const;
  // What the rule that chose it says; null: nothing of its own.
  std::shared_ptr<const RuleSettings> SettingsOf(uint32_t tgid) const;
  // Does its rule leave connections between these ports to be traced?
  bool Wants(uint32_t tgid, uint16_t local_port, uint16_t remote_port) const;
  // SettingsOf() of a process that had been decided about says something else since the last call.
  bool TakeSettingsChanged() { return std::exchange(settings_changed_, false); }

 private:
  enum class Origin : uint8_t { kRule, kPid, kLaunched, kInherited };
  struct Traced {
    uint64_t start_ticks = 0;  // 0 = not known
    uint32_t parent = 0;       // kInherited
    Origin origin = Origin::kRule;
    std::string rule;  // kRule, kPid
    // Of the rule, or of the one that chose the ancestor; null: none.
    std::shared_ptr<const RuleSettings> settings = {};
  };

  Discovery(Selection selection, TraceControl& control, ProcessReader reader,
            MetricRegistry& metrics);

  bool OnFork(const ProcessEvent& event);
  bool OnExec(const ProcessEvent& event);
  bool OnExit(const ProcessEvent& event);
  bool OnListen(const ProcessEvent& event);
  bool Adopt(const CensusEntry& entry);
  bool Begin(uint32_t tgid, Traced traced);
  void Remember(uint32_t tgid, Traced traced);
  void ReleaseUnselected();
  void DecideChanged();
  bool AdoptSelected(const std::vector<CensusEntry>& census);
  void Settle(const CensusEntry& entry);
  void Apply(const std::shared_ptr<const RuleSettings>& settings, Traced& traced);
  void ReleaseOrphans(const std::vector<CensusEntry>& census);
  bool StaysInherited(const ProcessFacts& facts) const;
  void Release(uint32_t tgid);
  void Forget(uint32_t tgid);
  bool IsKnown(uint32_t tgid, uint64_t start_ticks) const;
  void ForgetIfReused(const ProcessEvent& event);
  Gauge& GaugeOf(Origin origin);
  Origin OriginOf(uint32_t tgid) const;

  Selection selection_;
  TraceControl& control_;
  ProcessReader reader_;
  uint32_t self_;
  absl::flat_hash_map<uint32_t, Traced> traced_;
  absl::flat_hash_set<std::string> changed_;  // containers and pods to be decided anew
  uint64_t changes_due_ns_ = 0;               // not before this time
  bool settings_changed_ = false;
  Gauge& by_rule_;
  Gauge& launched_;
  Gauge& inherited_;
  Counter& refused_;  // TraceControl had no room
  Counter& table_full_;
  Counter& gone_;
};

}  // namespace sonde::discovery
