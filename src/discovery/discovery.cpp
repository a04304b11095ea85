// SPDX-License-Identifier: Apache-2.0
#include "discovery/discovery.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
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
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

// About 100 bytes each. A process beyond is still traced by the kernel, only not remembered here.
constexpr size_t kMaxTraced = 32768;
constexpr int kMaxScans = 4;
// /proc counts in USER_HZ, which is 100 on every architecture sonde runs on.
constexpr uint64_t kTickNs = 10'000'000;

constexpr const char* kProcessesHelp = "Traced processes, by how they came to be traced";
constexpr const char* kDroppedHelp = "Decisions about a process that could not be carried out";

Counter& Dropped(MetricRegistry& metrics, const char* reason) {
  return metrics.AddCounter("sonde_discovery_dropped_total", kDroppedHelp, {{"reason", reason}});
}

Gauge& Processes(MetricRegistry& metrics, const char* state) {
  return metrics.AddGauge("sonde_processes", kProcessesHelp, {{"state", state}});
}

}  // namespace

Result<std::unique_ptr<Discovery>> Discovery::Create(const DiscoveryOptions& options,
                                                     TraceControl& control, ProcessReader reader,
                                                     MetricRegistry& metrics) {
  auto selection = Selection::Create(options);
  if (!selection.ok()) return selection.status();
  return std::unique_ptr<Discovery>(
      new Discovery(std::move(*selection), control, std::move(reader), metrics));
}

Discovery::Discovery(Selection selection, TraceControl& control, ProcessReader reader,
                     MetricRegistry& metrics)
    : selection_(std::move(selection)),
      control_(control),
      reader_(std::move(reader)),
      self_(static_cast<uint32_t>(getpid())),
      by_rule_(Processes(metrics, "selected")),
      launched_(Processes(metrics, "launched")),
      inherited_(Processes(metrics, "inherited")),
      refused_(Dropped(metrics, "trace_refused")),
      table_full_(Dropped(metrics, "table_full")),
      gone_(Dropped(metrics, "process_gone")) {}

ScanSummary Discovery::Scan() {
  ScanSummary summary;
  if (selection_.empty()) return summary;
  std::vector<CensusEntry> census;
  bool found = true;
  for (int scan = 0; scan < kMaxScans && found; ++scan) {
    census = TakeCensus(reader_, selection_, self_);
    found = AdoptSelected(census);
  }
  summary.seen = census.size();
  summary.traced = traced_.size();
  for (const uint32_t pid : selection_.pids()) {
    if (std::ranges::none_of(census,
                             [pid](const CensusEntry& entry) { return entry.facts.pid == pid; })) {
      summary.missing_pids.push_back(pid);
    }
  }
  return summary;
}

bool Discovery::AdoptSelected(const std::vector<CensusEntry>& census) {
  bool found = false;
  for (const CensusEntry& entry : census) {
    if (!entry.verdict.selected) continue;
    if (IsKnown(entry.facts.pid, entry.facts.start_ticks)) {
      Settle(entry);
    } else {
      found = Adopt(entry) || found;
    }
  }
  return found;
}

// It stays traced; perhaps another rule chooses it now.
void Discovery::Settle(const CensusEntry& entry) {
  Traced& traced = traced_.at(entry.facts.pid);
  if (traced.origin == Origin::kLaunched) return;
  if (traced.origin == Origin::kRule && !entry.inherited) traced.rule = entry.verdict.rule;
  Apply(entry.verdict.settings, traced);
}

void Discovery::Apply(const std::shared_ptr<const RuleSettings>& settings, Traced& traced) {
  settings_changed_ = settings_changed_ || traced.settings != settings;
  traced.settings = settings;
}

void Discovery::OnWorkloads(std::vector<std::string> changed) {
  if ((selection_.fields() & kFieldWorkload) == 0) return;
  for (std::string& id : changed) {
    if (changed_.size() < kMaxTraced) changed_.insert(std::move(id));
  }
}

void Discovery::OnTick(uint64_t mono_ns) {
  if (changed_.empty() || mono_ns < changes_due_ns_) return;
  changes_due_ns_ = mono_ns + kWorkloadPauseNs;
  DecideChanged();
}

// Only processes of changed containers can have another verdict; who inherits from them follows.
void Discovery::DecideChanged() {
  const auto changed = std::exchange(changed_, {});
  bool found = true;
  for (int scan = 0; scan < kMaxScans && found; ++scan) {
    const auto census = TakeCensus(reader_, selection_, self_);
    for (const CensusEntry& entry : census) {
      const Membership& of = entry.facts.around.membership;
      if (!changed.contains(of.container_id) && !changed.contains(of.pod_uid)) continue;
      const auto known = traced_.find(entry.facts.pid);
      if (known == traced_.end()) continue;
      const bool unselected = !entry.verdict.selected && known->second.origin == Origin::kRule;
      if (entry.verdict.excluded || unselected) Release(entry.facts.pid);
    }
    ReleaseOrphans(census);
    found = AdoptSelected(census);
  }
}

void Discovery::ReleaseOrphans(const std::vector<CensusEntry>& census) {
  bool released = true;
  while (released) {
    released = false;
    for (const CensusEntry& entry : census) {
      if (entry.verdict.selected || StaysInherited(entry.facts)) continue;
      Release(entry.facts.pid);
      released = true;
    }
  }
}

// False for who inherited from a process that is there but no longer traced. Whose parent has ended
// has another one, and stays as it is: nobody can say more of it.
bool Discovery::StaysInherited(const ProcessFacts& facts) const {
  const auto known = traced_.find(facts.pid);
  if (known == traced_.end() || known->second.origin != Origin::kInherited) return true;
  return facts.parent != known->second.parent || traced_.contains(facts.parent);
}

Status Discovery::Reload(const DiscoveryOptions& options) {
  auto selection = Selection::Create(options);
  if (!selection.ok()) return selection.status();
  selection_ = *std::move(selection);
  settings_changed_ = true;
  ReleaseUnselected();
  Scan();
  return absl::OkStatus();
}

// The census knows who is selected for itself and who descends from one; launched processes stay.
void Discovery::ReleaseUnselected() {
  absl::flat_hash_set<uint32_t> selected;
  absl::flat_hash_set<uint32_t> excluded;
  for (const CensusEntry& entry : TakeCensus(reader_, selection_, self_)) {
    if (entry.verdict.selected) selected.insert(entry.facts.pid);
    if (entry.verdict.excluded) excluded.insert(entry.facts.pid);
  }
  std::vector<uint32_t> released;
  for (const auto& [tgid, traced] : traced_) {
    uint32_t root = tgid;  // of a chain of inheritance
    for (auto at = traced_.find(root);
         at != traced_.end() && at->second.origin == Origin::kInherited; at = traced_.find(root)) {
      root = at->second.parent;
    }
    const auto at = traced_.find(root);
    const bool launched = at != traced_.end() && at->second.origin == Origin::kLaunched;
    const bool stays = launched || selected.contains(tgid) || selected.contains(root);
    if (excluded.contains(tgid) || !stays) released.push_back(tgid);
  }
  for (const uint32_t tgid : released) Release(tgid);
}

Status Discovery::Launch(uint32_t tgid) {
  if (Status status = control_.Trace(tgid); !status.ok()) return status;
  const auto facts = reader_.Read(tgid, 0);
  Remember(tgid, {.start_ticks = facts ? facts->start_ticks : 0,
                  .parent = 0,
                  .origin = Origin::kLaunched,
                  .rule = {}});
  return absl::OkStatus();
}

bool Discovery::needs_exec_events() const {
  // A set of --pid alone can never match a process that is not there yet.
  return selection_.selects_new();
}

bool Discovery::needs_listen_events() const { return selection_.Uses(SelectorKind::kPort); }

bool Discovery::OnProcess(const ProcessEvent& event) {
  if (event.tgid == self_ || event.tgid == 0) return false;
  ForgetIfReused(event);
  switch (event.change) {
    case ProcessChange::kFork:
      return OnFork(event);
    case ProcessChange::kExec:
      return OnExec(event);
    case ProcessChange::kExit:
      return OnExit(event);
    case ProcessChange::kListen:
      return OnListen(event);
  }
  return false;
}

bool Discovery::OnFork(const ProcessEvent& event) {
  if (!event.traced) return false;
  Remember(event.tgid, {.start_ticks = event.start_ns / kTickNs,
                        .parent = event.parent_tgid,
                        .origin = Origin::kInherited,
                        .rule = {},
                        .settings = SettingsOf(event.parent_tgid)});
  return true;
}

bool Discovery::OnExec(const ProcessEvent& event) {
  const auto known = traced_.find(event.tgid);
  const bool traced = event.traced || known != traced_.end();
  const uint32_t cheap = selection_.fields() & ~static_cast<uint32_t>(kFieldPorts);
  auto facts = reader_.Read(event.tgid, cheap, selection_.wanted_env());
  if (!facts) {
    if (!traced) gone_.Add();
    return traced;
  }
  const bool ports = (selection_.fields() & kFieldPorts) != 0;
  if (ports && (traced || selection_.PossibleWithoutPorts(*facts))) {
    facts = reader_.Read(event.tgid, selection_.fields(), selection_.wanted_env());
    if (!facts) return traced;
  }
  Verdict verdict = selection_.Decide(*facts);
  const Origin origin = traced ? OriginOf(event.tgid) : Origin::kRule;
  if (traced && known == traced_.end()) OnFork(event);  // its fork was not seen
  if (traced && (verdict.excluded || (!verdict.selected && origin == Origin::kRule))) {
    Release(event.tgid);
    return false;
  }
  if (!traced && !verdict.selected) return false;
  if (traced && origin != Origin::kRule) {
    const auto kept = traced_.find(event.tgid);
    if (verdict.selected && kept != traced_.end() && origin != Origin::kLaunched) {
      kept->second.settings = std::move(verdict.settings);
    }
    return true;
  }
  return Begin(event.tgid, {.start_ticks = facts->start_ticks,
                            .parent = 0,
                            .origin = Origin::kRule,
                            .rule = std::move(verdict.rule),
                            .settings = std::move(verdict.settings)});
}

bool Discovery::OnExit(const ProcessEvent& event) {
  // An exit that waited in the ring while the scan found a later process with this number is not
  // that one's.
  if (event.start_ns == 0 || IsKnown(event.tgid, event.start_ns / kTickNs)) Forget(event.tgid);
  return traced_.contains(event.tgid);
}

bool Discovery::OnListen(const ProcessEvent& event) {
  if (event.traced || traced_.contains(event.tgid)) return true;
  if (!selection_.Uses(SelectorKind::kPort)) return false;
  auto facts = reader_.Read(event.tgid, selection_.fields(), selection_.wanted_env());
  if (!facts) {
    gone_.Add();
    return false;
  }
  facts->listen_ports.push_back(event.listen_port);  // it may have closed it again already
  Verdict verdict = selection_.Decide(*facts);
  if (!verdict.selected) return false;
  const bool traced = Begin(event.tgid, {.start_ticks = facts->start_ticks,
                                         .parent = 0,
                                         .origin = Origin::kRule,
                                         .rule = std::move(verdict.rule),
                                         .settings = std::move(verdict.settings)});
  // Its children may serve the same socket.
  AdoptSelected(TakeCensus(reader_, selection_, self_));
  return traced;
}

bool Discovery::Adopt(const CensusEntry& entry) {
  Origin origin = entry.inherited ? Origin::kInherited : Origin::kRule;
  if (!entry.inherited && entry.verdict.by_pid) origin = Origin::kPid;
  return Begin(entry.facts.pid, {.start_ticks = entry.facts.start_ticks,
                                 .parent = entry.parent,
                                 .origin = origin,
                                 .rule = entry.inherited ? std::string() : entry.verdict.rule,
                                 .settings = entry.verdict.settings});
}

bool Discovery::Begin(uint32_t tgid, Traced traced) {
  if (!control_.Trace(tgid).ok()) {
    refused_.Add();
    return false;
  }
  Remember(tgid, std::move(traced));
  return true;
}

void Discovery::Remember(uint32_t tgid, Traced traced) {
  Forget(tgid);
  if (traced_.size() >= kMaxTraced) {
    table_full_.Add();
    return;
  }
  GaugeOf(traced.origin).Add(1);
  settings_changed_ = settings_changed_ || traced.settings != nullptr;
  traced_[tgid] = std::move(traced);
}

void Discovery::Release(uint32_t tgid) {
  control_.Untrace(tgid);
  Forget(tgid);
}

void Discovery::Forget(uint32_t tgid) {
  const auto known = traced_.find(tgid);
  if (known == traced_.end()) return;
  GaugeOf(known->second.origin).Add(-1);
  traced_.erase(known);
}

bool Discovery::IsKnown(uint32_t tgid, uint64_t start_ticks) const {
  const auto known = traced_.find(tgid);
  return known != traced_.end() &&
         (known->second.start_ticks == 0 || known->second.start_ticks == start_ticks);
}

// The exit of an earlier process with this number was lost: what is known is not about this one.
void Discovery::ForgetIfReused(const ProcessEvent& event) {
  const auto known = traced_.find(event.tgid);
  if (known == traced_.end() || known->second.start_ticks == 0) return;
  if (event.start_ns / kTickNs > known->second.start_ticks) Forget(event.tgid);
}

Gauge& Discovery::GaugeOf(Origin origin) {
  if (origin == Origin::kLaunched) return launched_;
  return origin == Origin::kInherited ? inherited_ : by_rule_;
}

Discovery::Origin Discovery::OriginOf(uint32_t tgid) const {
  const auto known = traced_.find(tgid);
  return known == traced_.end() ? Origin::kInherited : known->second.origin;
}

std::string Discovery::RuleOf(uint32_t tgid) const {
  const auto known = traced_.find(tgid);
  if (known == traced_.end()) return {};
  switch (known->second.origin) {
    case Origin::kLaunched:
      return "launched";
    case Origin::kInherited:
      return "inherited from " + std::to_string(known->second.parent);
    case Origin::kRule:
    case Origin::kPid:
      break;
  }
  return known->second.rule;
}

std::shared_ptr<const RuleSettings> Discovery::SettingsOf(uint32_t tgid) const {
  if (!selection_.has_settings()) return {};
  const auto known = traced_.find(tgid);
  return known == traced_.end() ? nullptr : known->second.settings;
}

bool Discovery::Wants(uint32_t tgid, uint16_t local_port, uint16_t remote_port) const {
  const auto settings = SettingsOf(tgid);
  if (settings == nullptr || settings->ports.empty()) return true;
  return std::ranges::any_of(settings->ports, [&](const PortRange& range) {
    return (local_port >= range.first && local_port <= range.last) ||
           (remote_port >= range.first && remote_port <= range.last);
  });
}

}  // namespace sonde::discovery
