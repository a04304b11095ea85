// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/workloads.h"
#include "container/containerd.h"
#include "container/cri.h"
#include "container/endpoints.h"
#include "container/engine.h"
#include "container/engine_client.h"
#include "container/provider.h"
#include "container/runtime_source.h"
#include "container/state_files.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::agent {
namespace {

constexpr const char* kRemedy =
    "to select by container name, image or label, let sonde's user read the engine's socket "
    "(DOCKER_HOST, CONTAINER_HOST, CONTAINERD_ADDRESS, CONTAINER_RUNTIME_ENDPOINT, "
    "/var/run/docker.sock, /run/podman/podman.sock, /run/containerd/containerd.sock, "
    "/run/crio/crio.sock); in a container, "
    "mount it, or the host's / and give sonde.resource.host_root";

bool IsThere(const std::string& socket, const char* variable) {
  return access(socket.c_str(), F_OK) == 0 || !Variable(variable).empty();
}

RuntimeState StateOf(std::string name, const std::string& address, const Status& answer) {
  return {.name = std::move(name),
          .address = address,
          .usable = answer.ok(),
          .why = answer.ok() ? "answers" : std::string(answer.message())};
}

}  // namespace

std::unique_ptr<container::RuntimeSource> OpenRuntimes(const ResourceOptions& options,
                                                       std::vector<std::string> wanted_env,
                                                       MetricRegistry& metrics) {
  const auto endpoints = container::FindEndpoints(Variable, options.host_root);
  for (const std::string& problem : endpoints.problems) spdlog::warn("{}", problem);
  std::vector<std::unique_ptr<container::Provider>> providers;
  providers.reserve(endpoints.found.size() + 3);
  for (const container::Endpoint& endpoint : endpoints.found) {
    providers.push_back(std::make_unique<container::Engine>(endpoint));
  }
  providers.push_back(std::make_unique<container::Containerd>(
      container::FindContainerd(Variable, options.host_root)));
  providers.push_back(
      std::make_unique<container::Cri>(container::FindCri(Variable, options.host_root)));
  providers.push_back(std::make_unique<container::StateFiles>(options.host_root));
  container::RuntimeSource::Options own;
  own.wanted_env = std::move(wanted_env);
  return std::make_unique<container::RuntimeSource>(std::move(providers), metrics, std::move(own));
}

RuntimeReport DescribeRuntimes(const ResourceOptions& options) {
  RuntimeReport report;
  const auto endpoints = container::FindEndpoints(Variable, options.host_root);
  for (const container::Endpoint& endpoint : endpoints.found) {
    const bool is_default = endpoint.origin == "default";
    if (is_default && access(endpoint.socket.c_str(), F_OK) != 0) continue;
    const auto answer = container::EngineClient(endpoint).Get("/_ping", kRuntimesAnswer);
    report.states.push_back(StateOf(endpoint.engine, endpoint.address(), answer.status()));
  }
  const std::string containerd = container::FindContainerd(Variable, options.host_root);
  if (IsThere(containerd, "CONTAINERD_ADDRESS")) {
    report.states.push_back(
        StateOf("containerd", containerd, container::Containerd(containerd).Ping()));
  }
  const std::string cri = container::FindCri(Variable, options.host_root);
  if (IsThere(cri, "CONTAINER_RUNTIME_ENDPOINT")) {
    const auto name = container::Cri(cri).RuntimeName();
    report.states.push_back(StateOf(name.value_or("CRI"), cri, name.status()));
  }
  for (const auto& place : container::StateFiles(options.host_root).Places()) {
    report.states.push_back({.name = place.runtime + " files",
                             .address = place.path,
                             .usable = place.readable,
                             .why = place.readable ? "readable" : "not readable by this user"});
  }
  for (const std::string& problem : endpoints.problems) {
    report.states.push_back(
        {.name = "environment", .address = {}, .usable = false, .why = problem});
  }
  if (std::ranges::none_of(report.states, &RuntimeState::usable)) {
    report.remedy = kRemedy;
  }
  return report;
}

}  // namespace sonde::agent
