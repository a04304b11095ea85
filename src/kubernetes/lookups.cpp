// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/lookups.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "kubernetes/access.h"
#include "kubernetes/object_json.h"
#include "kubernetes/owner_names.h"
#include "kubernetes/requests.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {
namespace {

constexpr std::chrono::seconds kLook{1};  // how often what is due again is looked for

// Anything else would be another path.
bool IsObjectName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

// Where the owner of an owner is to be asked for; empty: this kind has none of interest.
std::string OwnerPath(const Pod& pod) {
  if (pod.owners.empty() || !IsObjectName(pod.namespace_name)) return {};
  const PodOwner& owner = pod.owners.front();
  if (!IsObjectName(owner.name)) return {};
  const char* group = nullptr;
  if (owner.kind == "ReplicaSet") group = "/apis/apps/v1/namespaces/";
  if (owner.kind == "Job") group = "/apis/batch/v1/namespaces/";
  if (group == nullptr) return {};
  return absl::StrCat(group, pod.namespace_name, owner.kind == "Job" ? "/jobs/" : "/replicasets/",
                      owner.name);
}

std::string NamespacePath(const Pod& pod) {
  if (!IsObjectName(pod.namespace_name)) return {};
  return "/api/v1/namespaces/" + pod.namespace_name;
}

std::string ResourceOf(std::string_view path) {
  if (path.starts_with("/apis/apps/")) return "replicasets";
  return path.starts_with("/apis/batch/") ? "jobs" : "namespaces";
}

}  // namespace

Lookups::Lookups(const Access& access, Options options, OnAnswer on_answer, MetricRegistry& metrics)
    : options_(options),
      on_answer_(std::move(on_answer)),
      metrics_(metrics),
      evicted_(Dropped(metrics, "lookups_full")),
      cut_(Dropped(metrics, "label_cut")),
      client_(access) {
  thread_ = std::thread([this] { Run(); });
}

Lookups::~Lookups() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  client_.Cancel();
  wake_.notify_all();
  thread_.join();
}

bool Lookups::Complete(const Pod& pod, PodFacts& facts) {
  const std::scoped_lock lock(mutex_);
  const bool owner = AddOwner(pod, facts);
  const bool name_space = AddNamespace(pod, facts);
  return owner && name_space;
}

bool Lookups::AddOwner(const Pod& pod, PodFacts& facts) {
  const std::string path = OwnerPath(pod);
  if (path.empty()) return true;
  const Entry* entry = Ask(path);
  const bool pending = entry != nullptr && entry->state == State::kPending;
  // Another object of the same name is not this pod's owner.
  const bool known = entry != nullptr && entry->state == State::kKnown &&
                     entry->meta.uid == pod.owners.front().uid;
  std::optional<PodOwner> owner;
  if (!known) {
    owner = DeriveOwner(pod);
  } else if (!entry->meta.owners.empty()) {
    owner = entry->meta.owners.front();
  }
  if (owner) facts.owners.insert(facts.owners.begin() + 1, *std::move(owner));
  return !pending;
}

bool Lookups::AddNamespace(const Pod& pod, PodFacts& facts) {
  if (!options_.namespaces) return true;
  const std::string path = NamespacePath(pod);
  const Entry* entry = path.empty() ? nullptr : Ask(path);
  if (entry == nullptr) return true;
  // While it is asked again, what was known stays.
  facts.namespace_labels = entry->meta.labels;
  facts.namespace_annotations = entry->meta.annotations;
  return entry->state != State::kPending;
}

// Null: not to be had.
const Lookups::Entry* Lookups::Ask(const std::string& path) {
  const auto found = entries_.find(path);
  if (found != entries_.end()) return &found->second;
  if (entries_.size() >= options_.max_objects && !MakeRoom()) {
    evicted_.Add();
    return nullptr;
  }
  Entry& entry = entries_[path];
  const auto refused = refused_.find(ResourceOf(path));
  if (refused != refused_.end() && Clock::now() < refused->second) {
    entry.state = State::kUnknown;
    entry.again = refused->second;
    return &entry;
  }
  queue_.push_back(path);
  wake_.notify_all();
  return &entry;
}

bool Lookups::MakeRoom() {
  const auto settled = std::ranges::find_if(
      entries_, [](const auto& one) { return one.second.state != State::kPending; });
  if (settled == entries_.end()) return false;
  entries_.erase(settled);
  evicted_.Add();
  return true;
}

void Lookups::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    QueueDue(Clock::now());
    if (queue_.empty()) {
      wake_.wait_for(lock, kLook);
      continue;
    }
    const std::string path = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Do(path);
    lock.lock();
  }
}

void Lookups::QueueDue(Clock::time_point now) {
  for (auto& [path, entry] : entries_) {
    if (entry.again > now) continue;
    entry.again = Clock::time_point::max();
    queue_.push_back(path);
  }
}

void Lookups::Do(const std::string& path) {
  const auto text = client_.Get(path, options_.timeout);
  size_t cut = 0;
  auto meta = text.ok() ? ParseObject(*text, &cut) : std::nullopt;
  const Status status =
      text.ok() && !meta ? absl::InternalError("no object of the API") : text.status();
  const std::string resource = ResourceOf(path);
  CountRequest(metrics_, "get", resource, status);
  cut_.Add(cut);
  {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(path);
    if (stop_ || found == entries_.end()) return;
    const auto now = Clock::now();
    Entry& entry = found->second;
    if (meta) {
      entry = {.state = State::kKnown, .meta = *std::move(meta), .again = entry.again};
      if (resource == "namespaces") entry.again = now + options_.refresh;
    } else {
      // What was known before stays; an owner never changes.
      if (entry.state == State::kPending) entry.state = State::kUnknown;
      entry.again = now + options_.retry;
    }
    if (absl::IsPermissionDenied(status)) refused_[resource] = now + options_.retry;
  }
  const bool needed = on_answer_(
      [&](const Pod& pod) { return OwnerPath(pod) == path || NamespacePath(pod) == path; });
  if (needed) return;
  const std::scoped_lock lock(mutex_);
  entries_.erase(path);
}

}  // namespace sonde::kubernetes
