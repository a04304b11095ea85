// SPDX-License-Identifier: Apache-2.0
#include "resource/resource_stage.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resource/cloud.h"
#include "resource/host.h"
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
namespace {

// About 3 KiB each with its attributes: 12 MiB at the most.
constexpr size_t kMaxEntries = 4096;
constexpr uint64_t kKeepAfterExitNs = 60'000'000'000;
constexpr uint64_t kForkedContextNs = 2'000'000'000;
constexpr uint64_t kTickNs = 10'000'000;  // USER_HZ is 100

Counter& Dropped(MetricRegistry& metrics, const char* reason) {
  return metrics.AddCounter("sonde_resource_dropped_total",
                            "Parts of a process's description that were lost",
                            {{"reason", reason}});
}

}  // namespace

Result<std::unique_ptr<ResourceStage>> ResourceStage::Create(const ResourceOptions& options,
                                                             ProcessReader reader,
                                                             MetricRegistry& metrics,
                                                             const std::string& host_root) {
  std::unique_ptr<ResourceStage> stage(
      new ResourceStage(options, std::move(reader), metrics, host_root));
  if (!options.cloud.empty() && stage->reader_.sees_anything()) {
    stage->cloud_ = std::make_unique<CloudMetadata>(
        CloudMetadata::Options{.providers = options.cloud}, metrics);
  }
  return stage;
}

ResourceStage::ResourceStage(const ResourceOptions& options, ProcessReader reader,
                             MetricRegistry& metrics, const std::string& host_root)
    : reader_(std::move(reader)),
      hold_ns_(static_cast<uint64_t>(std::chrono::nanoseconds(options.hold).count())),
      maker_(options, ReadHost(reader_, host_root)),
      wire_(maker_.Wire()),
      held_(metrics.AddGauge("sonde_resources", "Process descriptions held")),
      gone_(Dropped(metrics, "process_gone")),
      evicted_(Dropped(metrics, "table_full")),
      malformed_(Dropped(metrics, "malformed_attributes")),
      malformed_context_(Dropped(metrics, "malformed_context")),
      truncated_(Dropped(metrics, "truncated")) {}

std::shared_ptr<const Resource> ResourceStage::ForProcess(uint32_t tgid) {
  if (tgid == 0) return wire_;
  const auto found = entries_.find(tgid);
  if (found != entries_.end()) {
    return ResourceOf(tgid, found->second);
  }
  auto entry = ReadNow(tgid);
  if (entry) return ResourceOf(tgid, Store(tgid, std::move(*entry)));
  gone_.Add();
  ProcessFacts facts;
  facts.pid = tgid;
  Entry& stored = Store(tgid, {.base = Make(facts), .exit_mono_ns = now_mono_ns_ + 1});
  auto resource = ResourceOf(tgid, stored);
  NoteExit(tgid, stored.exit_mono_ns);
  return resource;
}

std::shared_ptr<const Resource> ResourceStage::ResourceOf(uint32_t tgid, Entry& entry) {
  if (entry.forked) {
    entry.base = maker_.Fork(*entry.base, tgid, entry.parent, entry.start_ticks);
    entry.forked = false;
    entry.resource.reset();
  }
  if (now_mono_ns_ >= entry.context_due_ns && entry.exit_mono_ns == 0) LookForContext(tgid, entry);
  if (entry.resource == nullptr) Describe(tgid, entry);
  return entry.resource;
}

std::shared_ptr<const Resource> ResourceStage::Alive(uint32_t tgid) const {
  const auto found = entries_.find(tgid);
  if (found == entries_.end() || found->second.exit_mono_ns != 0) return {};
  return found->second.resource;
}

bool ResourceStage::Waits(uint32_t tgid) const {
  const auto found = entries_.find(tgid);
  return found != entries_.end() && found->second.around.pending &&
         now_mono_ns_ < found->second.asked_mono_ns + hold_ns_;
}

std::shared_ptr<const Resource> ResourceStage::Latest(
    uint32_t tgid, const std::shared_ptr<const Resource>& known) const {
  const auto found = entries_.find(tgid);
  // The number may belong to another process by now, or to another program.
  if (found == entries_.end() || found->second.before != known) return known;
  return found->second.resource == nullptr ? known : found->second.resource;
}

void ResourceStage::OnWorkloads(const std::vector<std::string>& changed) {
  const absl::flat_hash_set<std::string_view> ids(changed.begin(), changed.end());
  for (auto& [tgid, entry] : entries_) {
    const Membership& of = entry.around.membership;
    if (!ids.contains(of.container_id) && !ids.contains(of.pod_uid)) continue;
    entry.around = reader_.Ask(of);
    if (entry.env_overwritten) ReadAgain(tgid, entry);
    Renew(tgid, entry);
  }
}

// Its environment is its container's, of which more is known now.
void ResourceStage::ReadAgain(uint32_t tgid, Entry& entry) {
  if (entry.exit_mono_ns != 0) return;
  auto now = ReadNow(tgid);
  if (!now || now->start_ticks != entry.start_ticks) return;
  entry.base = std::move(now->base);
  entry.forked = false;
}

void ResourceStage::SetCloud(Attributes cloud) {
  maker_.SetCloud(std::move(cloud));
  for (auto& [tgid, entry] : entries_) Renew(tgid, entry);
}

void ResourceStage::OnRules() {
  for (auto& [tgid, entry] : entries_) {
    if (entry.exit_mono_ns == 0) Renew(tgid, entry);  // nobody knows any more who chose the others
  }
}

// With the first span, when the application has set itself up, and then ever more seldom.
void ResourceStage::LookForContext(uint32_t tgid, Entry& entry) {
  constexpr std::array<uint64_t, 4> kPausesNs = {2'000'000'000, 10'000'000'000, 60'000'000'000,
                                                 300'000'000'000};
  if (!reader_.sees_anything()) return;
  entry.context_due_ns =
      now_mono_ns_ + kPausesNs.at(std::min(entry.context_looks++, kPausesNs.size() - 1));
  bool malformed = false;
  ProcessContext context = ReadProcessContext(reader_.root(), tgid, &malformed);
  if (malformed) malformed_context_.Add();
  if (context.empty() || context == entry.context) return;
  entry.context = std::move(context);
  Renew(tgid, entry);
}

void ResourceStage::Renew(uint32_t tgid, Entry& entry) {
  entry.before = std::exchange(entry.resource, nullptr);
  if (entry.before != nullptr) Describe(tgid, entry);
}

void ResourceStage::Describe(uint32_t tgid, Entry& entry) {
  const std::string version = version_of_ == nullptr ? std::string() : version_of_(tgid);
  entry.resource = maker_.Surround(entry.base, entry.around, Rule(tgid), entry.context, version);
}

void ResourceStage::OnRuntimes(const std::vector<uint32_t>& changed) {
  for (const uint32_t tgid : changed) {
    const auto found = entries_.find(tgid);
    if (found != entries_.end()) Renew(tgid, found->second);
  }
}

void ResourceStage::OnProcess(const ProcessEvent& event) {
  now_mono_ns_ = std::max(now_mono_ns_, event.mono_ns);
  switch (event.change) {
    case ProcessChange::kFork:
      if (event.traced) OnFork(event);
      break;
    case ProcessChange::kExec:
      if (event.traced) OnExec(event);
      break;
    case ProcessChange::kExit:
      OnExit(event);
      break;
    case ProcessChange::kListen:
      break;
  }
}

void ResourceStage::OnFork(const ProcessEvent& event) {
  const auto parent = entries_.find(event.parent_tgid);
  if (parent == entries_.end()) {
    if (auto entry = ReadNow(event.tgid)) {
      Store(event.tgid, std::move(*entry));
    } else {
      OnExec(event);  // what the event itself says
    }
    return;
  }
  Entry child{.base = parent->second.base,
              .forked = true,
              .parent = event.parent_tgid,
              .start_ticks = event.start_ns / kTickNs,
              .around = parent->second.around,
              .env_overwritten = parent->second.env_overwritten,
              .asked_mono_ns = parent->second.asked_mono_ns,
              // It has no mapping of its parent's, and most live no longer than this.
              .context_due_ns = now_mono_ns_ + kForkedContextNs};
  Store(event.tgid, std::move(child));
}

void ResourceStage::OnExec(const ProcessEvent& event) {
  if (auto entry = ReadNow(event.tgid)) {
    Store(event.tgid, std::move(*entry));
    return;
  }
  gone_.Add();
  ProcessFacts facts;
  facts.pid = event.tgid;
  facts.parent = event.parent_tgid;
  facts.start_ticks = event.start_ns / kTickNs;
  facts.comm = event.comm;
  facts.exe = event.program;
  Store(event.tgid, {.base = Make(facts), .start_ticks = facts.start_ticks});
}

void ResourceStage::OnExit(const ProcessEvent& event) {
  const auto found = entries_.find(event.tgid);
  if (found == entries_.end()) return;
  found->second.exit_mono_ns = std::max<uint64_t>(event.mono_ns, 1);
  NoteExit(event.tgid, found->second.exit_mono_ns);
}

void ResourceStage::NoteExit(uint32_t tgid, uint64_t mono_ns) {
  exited_.emplace_back(tgid, mono_ns);
  // Numbers that were taken again leave stale notes behind.
  if (exited_.size() > 2 * kMaxEntries) DropOldestExited();
}

void ResourceStage::DropOldestExited() {
  const auto [tgid, mono_ns] = exited_.front();
  exited_.pop_front();
  const auto found = entries_.find(tgid);
  // The number may belong to a later process by now.
  if (found != entries_.end() && found->second.exit_mono_ns == mono_ns) entries_.erase(found);
}

void ResourceStage::OnTick(uint64_t mono_ns) {
  now_mono_ns_ = std::max(now_mono_ns_, mono_ns);
  while (!exited_.empty() && exited_.front().second + kKeepAfterExitNs < now_mono_ns_) {
    DropOldestExited();
  }
  if (cloud_ != nullptr) {
    if (auto found = cloud_->Take()) SetCloud(*std::move(found));
  }
  held_.Set(static_cast<int64_t>(entries_.size()));
}

void ResourceStage::Preload(uint32_t tgid, const std::shared_ptr<const OwnedResource>& resource) {
  Store(tgid, {.base = resource, .resource = resource});
}

std::optional<ResourceStage::Entry> ResourceStage::ReadNow(uint32_t tgid) {
  const auto facts = reader_.Read(tgid, kResourceFields, ResourceEnv());
  if (!facts) return std::nullopt;
  return Entry{.base = Make(*facts),
               .forked = false,
               .parent = facts->parent,
               .start_ticks = facts->start_ticks,
               .exit_mono_ns = 0,
               .around = facts->around,
               .env_overwritten = facts->env_overwritten,
               .asked_mono_ns = now_mono_ns_};
}

std::shared_ptr<const OwnedResource> ResourceStage::Make(const ProcessFacts& facts) {
  bool malformed = false;
  auto resource = maker_.Make(facts, reader_.Runtime(facts), &malformed);
  if (malformed) malformed_.Add();
  if (facts.truncated) truncated_.Add();
  return resource;
}

ResourceStage::Entry& ResourceStage::Store(uint32_t tgid, Entry entry) {
  if (entries_.size() >= kMaxEntries && !entries_.contains(tgid)) MakeRoom();
  Entry& stored = entries_[tgid];
  stored = std::move(entry);
  return stored;
}

// The longest ended goes first. A live one is read again when its next span needs it.
void ResourceStage::MakeRoom() {
  evicted_.Add();
  while (!exited_.empty() && entries_.size() >= kMaxEntries) DropOldestExited();
  if (entries_.size() >= kMaxEntries) entries_.erase(entries_.begin());
}

}  // namespace sonde::resource
