// SPDX-License-Identifier: Apache-2.0
// The container runtimes of this host, for run, processes and doctor alike.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "container/runtime_source.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"

namespace sonde::agent {

// How long a start waits for their answers; who answers later is heard later.
constexpr Milliseconds kRuntimesAnswer{1000};

// What cannot be used of sonde's environment (DOCKER_HOST ...) is logged. `metrics` outlives it.
// `wanted_env`: names of containers' variables that are kept.
std::unique_ptr<container::RuntimeSource> OpenRuntimes(const ResourceOptions& options,
                                                       std::vector<std::string> wanted_env,
                                                       MetricRegistry& metrics);

// What sonde can ask about containers here, in words.
struct RuntimeState {
  std::string name;     // docker, podman; docker's, containerd's ... state files
  std::string address;  // a socket, a URL or a directory
  bool usable = false;
  std::string why;  // what it answered, or why it cannot be asked
};
struct RuntimeReport {
  std::vector<RuntimeState> states;  // those that are there
  std::string remedy;                // empty if one is usable
};
RuntimeReport DescribeRuntimes(const ResourceOptions& options);

}  // namespace sonde::agent
