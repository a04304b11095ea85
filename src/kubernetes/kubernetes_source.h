// SPDX-License-Identifier: Apache-2.0
// The pods of this node, and the services of the cluster, as a WorkloadSource: worker threads talk
// to the API server (one follows pods, one services, one looks up owners and namespaces), the drain
// thread looks into their tables.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
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
#include "kubernetes/service_table.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

class KubernetesSource final : public WorkloadSource {
 public:
  struct Options {
    PodTable::Options table;
    Lookups::Options lookups;
    WatchOptions watch;
    bool services = false;  // are followed, too
    size_t max_services = 10'000;
    // How long a container may take to stand in its pod's status: the kubelet writes it there some
    // time after the start.
    std::chrono::milliseconds patience{3000};
    // Who was not found is waited for again only after this.
    std::chrono::milliseconds forget{std::chrono::minutes(5)};
    size_t max_asked = 4096;
  };

  // Null if the options say that there is no Kubernetes here. kFailedPrecondition and
  // kInvalidArgument with the remedy if it is asked for and cannot be had. `wanted_env`: names of
  // containers' variables that are kept.
  static Result<std::unique_ptr<KubernetesSource>> Create(const KubernetesOptions& options,
                                                          std::vector<std::string> wanted_env,
                                                          const GetEnv& env,
                                                          MetricRegistry& metrics);
  KubernetesSource(const Access& api, const std::optional<Access>& kubelet, Options options,
                   MetricRegistry& metrics);
  ~KubernetesSource() override;
  KubernetesSource(const KubernetesSource&) = delete;
  KubernetesSource& operator=(const KubernetesSource&) = delete;

  std::shared_ptr<const PodFacts> Pod(const Membership& of) override;
  Surroundings AtAddress(std::string_view address) const override;
  std::shared_ptr<const ServiceFacts> ServiceAt(std::string_view address) const override;
  bool Pending(const Membership& of) const override;
  std::vector<std::string> TakeChanged() override;

  // Until pods, their owners and services are known, or nobody answers; at most so long. For the
  // start of sonde, and tests.
  void Settle(std::chrono::milliseconds at_most);

 private:
  using Clock = std::chrono::steady_clock;

  PodTable::Found Find(const Membership& of, bool* final) const;
  void NoteAsked(const std::string& id);
  void FollowServices(const Access& api, MetricRegistry& metrics);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable heard_;
  bool heard_once_ = false;  // somebody answered, or did not
  bool answered_ = true;     // until it is known better
  bool services_heard_;      // the same as heard_once_, of services; true if they are not followed
  PodTable table_;
  ServiceTable services_;
  // When waiting for an id ends; asked for first, first in order.
  absl::flat_hash_map<std::string, Clock::time_point> asked_;
  std::deque<std::pair<std::string, Clock::time_point>> waiting_;
  std::deque<std::pair<std::string, Clock::time_point>> given_up_;

  Lookups lookups_;
  ObjectWatch<kubernetes::Pod> watch_;
  std::unique_ptr<ObjectWatch<Service>> service_watch_;  // null: services are not followed
  // Last: they start when all else is there.
  std::thread thread_;
  std::thread service_thread_;
};

// What FindAccess() and the options say about the kubelet. Empty: it is not to be asked.
std::optional<Access> KubeletAccess(const KubernetesOptions& options, const Access& api,
                                    const std::string& node);

}  // namespace sonde::kubernetes
