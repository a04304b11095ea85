// SPDX-License-Identifier: Apache-2.0
// All that is known of where processes run: containers from the runtimes, pods from Kubernetes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "container/runtime_source.h"
#include "kubernetes/access.h"
#include "kubernetes/kubernetes_source.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/workload.h"

namespace sonde::agent {

class Workloads final : public WorkloadSource {
 public:
  // Fails only if the configuration demands Kubernetes and it cannot be had; where it is merely
  // there, that is logged. `metrics` outlives it.
  static Result<std::unique_ptr<Workloads>> Open(const Config& config, MetricRegistry& metrics);

  std::shared_ptr<const ContainerFacts> Container(const Membership& of) override;
  std::shared_ptr<const PodFacts> Pod(const Membership& of) override;
  Surroundings AtAddress(std::string_view address) const override;
  std::shared_ptr<const ServiceFacts> ServiceAt(std::string_view address) const override;
  bool Pending(const Membership& of) const override;
  std::vector<std::string> TakeChanged() override;

  // Until what was asked for is known, a bounded time. For the start, and `sonde processes`.
  void Settle();

 private:
  std::unique_ptr<container::RuntimeSource> runtimes_;
  std::unique_ptr<kubernetes::KubernetesSource> kubernetes_;  // null: not here
};

// sonde's own environment.
std::string Variable(const char* name);

}  // namespace sonde::agent
