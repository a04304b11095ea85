// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/kubernetes_source.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "kubernetes/access.h"
#include "kubernetes/lookups.h"
#include "kubernetes/object_json.h"
#include "kubernetes/object_watch.h"
#include "kubernetes/pod_table.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {
namespace {

const std::string& IdOf(const Membership& of) {
  return of.container_id.empty() ? of.pod_uid : of.container_id;
}

}  // namespace

std::optional<Access> KubeletAccess(const KubernetesOptions& options, const Access& api,
                                    const std::string& node) {
  if (!options.kubelet) return std::nullopt;
  Access access = api;
  access.server = options.kubelet_url.empty() ? "https://" + node + ":10250" : options.kubelet_url;
  while (access.server.ends_with('/')) access.server.pop_back();
  access.insecure = options.kubelet_insecure;
  return access;
}

Result<std::unique_ptr<KubernetesSource>> KubernetesSource::Create(
    const KubernetesOptions& options, std::vector<std::string> wanted_env, const GetEnv& env,
    MetricRegistry& metrics) {
  if (!IsUsed(options, env)) return nullptr;
  const auto access = FindAccess(options, env);
  if (!access.ok()) return access.status();
  const auto node = FindNode(options, env);
  if (!node.ok()) return node.status();
  Options own;
  own.table.cluster = options.cluster_name;
  own.table.wanted_env = std::move(wanted_env);
  own.lookups.namespaces = options.namespace_metadata;
  own.watch.node = *node;
  own.services = options.services;
  return std::make_unique<KubernetesSource>(*access, KubeletAccess(options, *access, *node),
                                            std::move(own), metrics);
}

KubernetesSource::KubernetesSource(const Access& api, const std::optional<Access>& kubelet,
                                   Options options, MetricRegistry& metrics)
    : options_(std::move(options)),
      services_heard_(!options_.services),
      table_(
          options_.table,
          [this](const kubernetes::Pod& pod, PodFacts& facts) {
            return lookups_.Complete(pod, facts);
          },
          metrics),
      services_(options_.max_services, metrics),
      lookups_(
          api, options_.lookups,
          [this](const Lookups::Affected& affected) {
            bool any = false;
            {
              const std::scoped_lock lock(mutex_);
              table_.Describe([&](const kubernetes::Pod& pod) {
                const bool hit = affected(pod);
                any = any || hit;
                return hit;
              });
            }
            heard_.notify_all();
            return any;
          },
          metrics),
      watch_(api, kubelet, options_.watch,
             {.on_list =
                  [this](std::vector<kubernetes::Pod> pods) {
                    const std::scoped_lock lock(mutex_);
                    table_.Replace(std::move(pods), Clock::now());
                  },
              .on_put =
                  [this](kubernetes::Pod pod) {
                    const std::scoped_lock lock(mutex_);
                    table_.Put(std::move(pod));
                  },
              .on_deleted =
                  [this](const std::string& uid) {
                    const std::scoped_lock lock(mutex_);
                    table_.Remove(uid, Clock::now());
                  },
              .on_state =
                  [this](bool answered) {
                    {
                      const std::scoped_lock lock(mutex_);
                      answered_ = answered;
                      heard_once_ = true;
                    }
                    heard_.notify_all();
                  }},
             metrics) {
  thread_ = std::thread([this] { watch_.Run(); });
  if (options_.services) FollowServices(api, metrics);
}

void KubernetesSource::FollowServices(const Access& api, MetricRegistry& metrics) {
  WatchOptions options = options_.watch;
  options.node.clear();
  options.max_objects = options_.max_services;
  service_watch_ = std::make_unique<ObjectWatch<Service>>(
      api, std::nullopt, std::move(options),
      WatchSink<Service>{.on_list =
                             [this](const std::vector<Service>& services) {
                               const std::scoped_lock lock(mutex_);
                               services_.Replace(services);
                             },
                         .on_put =
                             [this](const Service& service) {
                               const std::scoped_lock lock(mutex_);
                               services_.Put(service);
                             },
                         .on_deleted =
                             [this](const std::string& uid) {
                               const std::scoped_lock lock(mutex_);
                               services_.Remove(uid);
                             },
                         .on_state =
                             [this](bool /*answered*/) {
                               {
                                 const std::scoped_lock lock(mutex_);
                                 services_heard_ = true;
                               }
                               heard_.notify_all();
                             }},
      metrics);
  service_thread_ = std::thread([this] { service_watch_->Run(); });
}

KubernetesSource::~KubernetesSource() {
  watch_.Cancel();
  if (service_watch_ != nullptr) service_watch_->Cancel();
  thread_.join();
  if (service_thread_.joinable()) service_thread_.join();
}

// `*final`: nothing better is to be expected soon.
PodTable::Found KubernetesSource::Find(const Membership& of, bool* final) const {
  if (!of.container_id.empty()) {
    PodTable::Found found = table_.ByContainer(of.container_id);
    *final = found.facts != nullptr && found.complete;
    if (found.facts != nullptr) return found;
  }
  PodTable::Found found = of.pod_uid.empty() ? PodTable::Found() : table_.ByUid(of.pod_uid);
  // Which of its containers it is, is still to come; if the control group does not tell that it is
  // one of a pod, nobody will.
  *final = of.container_id.empty() ? found.facts != nullptr && found.complete : of.pod_uid.empty();
  return found;
}

std::shared_ptr<const PodFacts> KubernetesSource::Pod(const Membership& of) {
  if (IdOf(of).empty()) return {};
  bool unknown = false;
  std::shared_ptr<const PodFacts> facts;
  {
    const std::scoped_lock lock(mutex_);
    bool final = false;
    PodTable::Found found = Find(of, &final);
    if (!final) NoteAsked(IdOf(of));
    unknown = !final && found.facts == nullptr;
    facts = std::move(found.facts);
  }
  if (unknown) watch_.Hurry();
  return facts;
}

Surroundings KubernetesSource::AtAddress(std::string_view address) const {
  Surroundings found;
  const std::scoped_lock lock(mutex_);
  found.pod = table_.ByAddress(address).facts;
  return found;
}

std::shared_ptr<const ServiceFacts> KubernetesSource::ServiceAt(std::string_view address) const {
  const std::scoped_lock lock(mutex_);
  return services_.ByAddress(address);
}

void KubernetesSource::NoteAsked(const std::string& id) {
  if (asked_.contains(id)) return;
  if (asked_.size() >= options_.max_asked && !given_up_.empty()) {
    asked_.erase(given_up_.front().first);
    given_up_.pop_front();
  }
  if (asked_.size() >= options_.max_asked) return;  // not waited for
  const auto until = Clock::now() + options_.patience;
  asked_.emplace(id, until);
  waiting_.emplace_back(id, until);
}

bool KubernetesSource::Pending(const Membership& of) const {
  const std::scoped_lock lock(mutex_);
  const auto asked = asked_.find(IdOf(of));
  if (asked == asked_.end() || Clock::now() >= asked->second || !answered_) return false;
  bool final = false;
  Find(of, &final);
  return !final;
}

std::vector<std::string> KubernetesSource::TakeChanged() {
  const std::scoped_lock lock(mutex_);
  const auto now = Clock::now();
  table_.Forget(now);
  std::vector<std::string> changed = table_.TakeChanged();
  // If nobody answers, waiting is in vain.
  while (!waiting_.empty() && (waiting_.front().second <= now || !answered_)) {
    auto& [id, until] = waiting_.front();
    if (!table_.ByContainer(id).complete && !table_.ByUid(id).complete) changed.push_back(id);
    given_up_.emplace_back(std::move(id), now + options_.forget);
    waiting_.pop_front();
  }
  while (!given_up_.empty() && given_up_.front().second <= now) {
    asked_.erase(given_up_.front().first);
    given_up_.pop_front();
  }
  return changed;
}

void KubernetesSource::Settle(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  heard_.wait_for(lock, at_most, [this] {
    return heard_once_ && services_heard_ && (!answered_ || table_.all_complete());
  });
}

}  // namespace sonde::kubernetes
