// SPDX-License-Identifier: Apache-2.0
// What surrounds a process: its container, its pod, its systemd unit. Container ids and units stand
// in the process's cgroup paths and are known at once; the rest comes from sockets and API servers
// and is learnt by worker threads, so that the drain thread only ever looks into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde {

// Sorted by key. Values are UTF-8 without control characters, cut at kMaxLabelBytes.
using Labels = std::vector<std::pair<std::string, std::string>>;
constexpr size_t kMaxLabelBytes = 4096;

struct ContainerFacts {
  std::string id;          // container.id, whole
  std::string runtime;     // container.runtime.name: docker, containerd, cri-o, podman, lxc
  std::string name;        // container.name
  std::string image_name;  // container.image.name, without tag and digest
  std::string image_id;    // container.image.id
  std::vector<std::string> image_tags;     // container.image.tags
  std::vector<std::string> image_digests;  // container.image.repo_digests
  Labels labels;
};

struct PodOwner {
  std::string kind;  // ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob ...
  std::string name;
  std::string uid;
};

// One container of a pod.
struct PodFacts {
  std::string name;
  std::string uid;
  std::string namespace_name;
  std::string node;
  std::string cluster;         // k8s.cluster.name, if configured
  std::string container_name;  // k8s.container.name
  uint32_t restart_count = 0;
  std::vector<PodOwner> owners;  // nearest first
  Labels labels;
  Labels annotations;
  Labels namespace_labels;
  Labels namespace_annotations;
};

// Where container and pod facts come from: a runtime's socket, its state files, the Kubernetes API.
// Called on the drain thread; answers from memory and never waits.
class WorkloadSource {
 public:
  virtual ~WorkloadSource() = default;

  // Null: not known yet, or nothing to know. Asking for an unknown id starts the search for it.
  virtual std::shared_ptr<const ContainerFacts> Container(std::string_view /*id*/) { return {}; }
  virtual std::shared_ptr<const PodFacts> Pod(std::string_view /*container_id*/) { return {}; }
  // Still being looked for: an answer will come within the source's time-out.
  virtual bool Pending(std::string_view container_id) const = 0;
  // Containers whose facts have come or changed since the last call.
  virtual std::vector<std::string> TakeChanged() = 0;
};

}  // namespace sonde
