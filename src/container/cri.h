// SPDX-License-Identifier: Apache-2.0
// A runtime that speaks Kubernetes' container runtime interface: CRI-O, and whatever
// CONTAINER_RUNTIME_ENDPOINT names.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "container/grpc_client.h"
#include "container/provider.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

// Does not tell of changes: what this interface says of a container stays the same while it is
// there.
class Cri final : public Provider {
 public:
  explicit Cri(std::string socket,
               std::chrono::milliseconds answer_timeout = std::chrono::seconds(1));

  std::string_view name() const override { return "cri"; }
  Result<ContainerFacts> Find(const std::string& id, size_t* cut) override;
  std::vector<std::string> Running() override;
  void Cancel() override;

  // What it calls itself: cri-o, containerd. For `sonde doctor`, and ContainerFacts::runtime.
  Result<std::string> RuntimeName();

 private:
  Result<std::string> Call(const char* method, const std::string& request);

  const std::string socket_;
  const std::chrono::milliseconds answer_timeout_;
  GrpcClient lookups_;
  std::string runtime_;  // empty: not asked yet
};

// A container of RuntimeService/ContainerStatus, without ContainerFacts::runtime.
Result<ContainerFacts> ParseCriContainer(std::string_view answer, size_t* cut);

}  // namespace sonde::container
