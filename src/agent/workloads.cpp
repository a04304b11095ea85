// SPDX-License-Identifier: Apache-2.0
#include "agent/workloads.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/runtimes.h"
#include "discovery/selection.h"
#include "kubernetes/kubernetes_source.h"
#include "resource/process_resource.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/workload.h"

namespace sonde::agent {
namespace {

// How long a start waits for the API server; who answers later is heard later.
constexpr Milliseconds kPodsAnswer{2000};

// What selectors ask for, as sonde was started, and what names a service.
std::vector<std::string> WantedEnv(const DiscoveryOptions& options) {
  std::vector<std::string> names(resource::ResourceEnv().begin(), resource::ResourceEnv().end());
  if (const auto selection = discovery::Selection::Create(options); selection.ok()) {
    names.insert(names.end(), selection->wanted_env().begin(), selection->wanted_env().end());
  }
  return names;
}

}  // namespace

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::unique_ptr<Workloads>> Workloads::Open(const Config& config, MetricRegistry& metrics) {
  auto workloads = std::make_unique<Workloads>();
  auto env = WantedEnv(config.discovery);
  auto pods = kubernetes::KubernetesSource::Create(config.kubernetes, env, Variable, metrics);
  if (pods.ok()) {
    workloads->kubernetes_ = *std::move(pods);
  } else if (config.kubernetes.use == KubernetesUse::kOn || !config.kubernetes.kubeconfig.empty()) {
    return pods.status();
  } else {
    spdlog::warn("Kubernetes: {}", std::string(pods.status().message()));
  }
  workloads->runtimes_ = OpenRuntimes(config.resource, std::move(env), metrics);
  return workloads;
}

std::shared_ptr<const ContainerFacts> Workloads::Container(const Membership& of) {
  return runtimes_->Container(of);
}

std::shared_ptr<const PodFacts> Workloads::Pod(const Membership& of) {
  return kubernetes_ == nullptr ? nullptr : kubernetes_->Pod(of);
}

Surroundings Workloads::AtAddress(std::string_view address) const {
  Surroundings found = runtimes_->AtAddress(address);
  if (kubernetes_ != nullptr) found.pod = kubernetes_->AtAddress(address).pod;
  return found;
}

std::shared_ptr<const ServiceFacts> Workloads::ServiceAt(std::string_view address) const {
  return kubernetes_ == nullptr ? nullptr : kubernetes_->ServiceAt(address);
}

bool Workloads::Pending(const Membership& of) const {
  return runtimes_->Pending(of) || (kubernetes_ != nullptr && kubernetes_->Pending(of));
}

std::vector<std::string> Workloads::TakeChanged() {
  std::vector<std::string> changed = runtimes_->TakeChanged();
  if (kubernetes_ == nullptr) return changed;
  std::vector<std::string> pods = kubernetes_->TakeChanged();
  changed.insert(changed.end(), std::make_move_iterator(pods.begin()),
                 std::make_move_iterator(pods.end()));
  return changed;
}

void Workloads::Settle() {
  if (kubernetes_ != nullptr) kubernetes_->Settle(kPodsAnswer);
  runtimes_->Settle(kRuntimesAnswer);
}

}  // namespace sonde::agent
