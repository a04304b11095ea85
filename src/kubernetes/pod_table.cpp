// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/pod_table.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/facts.h"
#include "kubernetes/object_json.h"
#include "kubernetes/requests.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

PodTable::PodTable(Options options, Complete complete, MetricRegistry& metrics)
    : options_(std::move(options)),
      complete_(std::move(complete)),
      held_(metrics.AddGauge("sonde_kubernetes_pods", "Pods of this node that are known")),
      evicted_(Dropped(metrics, "table_full")) {}

void PodTable::Put(Pod pod) {
  if (pods_.size() >= options_.max_pods && !pods_.contains(pod.uid)) MakeRoom();
  for (PodContainer& each : pod.containers) container::KeepWanted(options_.wanted_env, each.env);
  Entry& entry = pods_[pod.uid];
  if (entry.deleted) {  // put again, as after a list that was incomplete
    std::erase_if(deleted_, [&](const auto& one) { return one.first == pod.uid; });
    entry.deleted = false;
  }
  entry.put = ++puts_;
  const bool same = entry.facts != nullptr && entry.pod == pod;
  held_.Set(static_cast<int64_t>(size()));
  if (same) return;
  Unlink(entry.pod);
  entry.pod = std::move(pod);
  Make(entry);
}

void PodTable::Make(Entry& entry) {
  const Pod& pod = entry.pod;
  PodFacts facts;
  facts.name = pod.name;
  facts.uid = pod.uid;
  facts.namespace_name = pod.namespace_name;
  facts.node = pod.node;
  facts.cluster = options_.cluster;
  facts.owners = pod.owners;
  facts.labels = pod.labels;
  facts.annotations = pod.annotations;
  entry.complete = complete_(pod, facts);
  entry.by_container.clear();
  for (size_t i = 0; i < pod.containers.size(); ++i) {
    const PodContainer& container = pod.containers[i];
    PodFacts own = facts;
    own.container_name = container.name;
    own.restart_count = container.restart_count;
    own.image_name = container.image_name;
    own.image_tag = container.image_tag;
    own.image_digest = container.image_digest;
    own.env = container.env;
    entry.by_container.push_back(std::make_shared<const PodFacts>(std::move(own)));
    if (container.id.empty()) continue;
    containers_.insert_or_assign(container.id, std::pair(pod.uid, i));
    NoteChanged(container.id);
  }
  entry.facts = std::make_shared<const PodFacts>(std::move(facts));
  if (!pod.config_hash.empty()) {
    config_hashes_.insert_or_assign(pod.config_hash, pod.uid);
    NoteChanged(pod.config_hash);
  }
  for (const std::string& address : pod.addresses) addresses_.insert_or_assign(address, pod.uid);
  NoteChanged(pod.uid);
}

// The ids of a pod that is about to change or go. A container that ended keeps its id until then:
// its pod's status names the new one only.
void PodTable::Unlink(const Pod& pod) {
  for (const PodContainer& container : pod.containers) {
    const auto found = containers_.find(container.id);
    if (found != containers_.end() && found->second.first == pod.uid) containers_.erase(found);
  }
  const auto found = config_hashes_.find(pod.config_hash);
  if (found != config_hashes_.end() && found->second == pod.uid) config_hashes_.erase(found);
  for (const std::string& address : pod.addresses) {
    const auto at = addresses_.find(address);
    if (at != addresses_.end() && at->second == pod.uid) addresses_.erase(at);
  }
}

void PodTable::Remove(const std::string& uid, Clock::time_point now) {
  const auto found = pods_.find(uid);
  if (found == pods_.end() || found->second.deleted) return;
  found->second.deleted = true;
  deleted_.emplace_back(uid, now);
  held_.Set(static_cast<int64_t>(size()));
}

void PodTable::Replace(std::vector<Pod> pods, Clock::time_point now) {
  absl::flat_hash_set<std::string> listed;
  for (Pod& pod : pods) {
    listed.insert(pod.uid);
    Put(std::move(pod));
  }
  std::vector<std::string> gone;
  for (const auto& [uid, entry] : pods_) {
    if (!entry.deleted && !listed.contains(uid)) gone.push_back(uid);
  }
  for (const std::string& uid : gone) Remove(uid, now);
}

void PodTable::Describe(const std::function<bool(const Pod&)>& affected) {
  for (auto& [uid, entry] : pods_) {
    if (!entry.deleted && affected(entry.pod)) Make(entry);
  }
}

void PodTable::Forget(Clock::time_point now) {
  while (!deleted_.empty() && deleted_.front().second + options_.keep_deleted <= now) {
    const std::string uid = std::move(deleted_.front().first);
    deleted_.pop_front();
    Erase(uid);
  }
}

void PodTable::Erase(const std::string& uid) {
  const auto found = pods_.find(uid);
  if (found == pods_.end()) return;
  Unlink(found->second.pod);
  pods_.erase(found);
}

void PodTable::MakeRoom() {
  evicted_.Add();
  if (!deleted_.empty()) {
    const std::string uid = std::move(deleted_.front().first);
    deleted_.pop_front();
    return Erase(uid);
  }
  const std::string oldest =
      std::ranges::min_element(pods_, {}, [](const auto& one) { return one.second.put; })->first;
  Erase(oldest);
}

PodTable::Found PodTable::ByContainer(std::string_view container_id) const {
  const auto found = containers_.find(std::string(container_id));
  if (found == containers_.end()) return {};
  const auto pod = pods_.find(found->second.first);
  if (pod == pods_.end()) return {};
  return {.facts = pod->second.by_container[found->second.second],
          .complete = pod->second.complete};
}

PodTable::Found PodTable::ByUid(std::string_view pod_uid) const {
  const std::string uid(pod_uid);
  auto pod = pods_.find(uid);
  if (pod == pods_.end()) {
    const auto hash = config_hashes_.find(uid);
    if (hash != config_hashes_.end()) pod = pods_.find(hash->second);
  }
  if (pod == pods_.end()) return {};
  return {.facts = pod->second.facts, .complete = pod->second.complete};
}

PodTable::Found PodTable::ByAddress(std::string_view address) const {
  const auto found = addresses_.find(std::string(address));
  return found == addresses_.end() ? Found() : ByUid(found->second);
}

bool PodTable::all_complete() const {
  return std::ranges::all_of(
      pods_, [](const auto& one) { return one.second.complete || one.second.deleted; });
}

// Whoever does not take them hears of the first so many; it asks anew for all then anyway.
void PodTable::NoteChanged(const std::string& id) {
  if (changed_.size() < 4 * options_.max_pods) changed_.insert(id);
}

std::vector<std::string> PodTable::TakeChanged() {
  std::vector<std::string> taken(changed_.begin(), changed_.end());
  changed_.clear();
  return taken;
}

}  // namespace sonde::kubernetes
