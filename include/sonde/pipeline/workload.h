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
// Environment variables, each once, values as they were given.
using Variables = std::vector<std::pair<std::string, std::string>>;

// What the control groups of a process say of it, without asking anybody; each part may be empty.
struct Membership {
  std::string container_id;  // of the innermost container, as its runtime writes it: 64 hex digits;
                             // of LXC its name
  std::string runtime;       // as ContainerFacts::runtime, where the path names it
  std::string pod_uid;       // k8s.pod.uid
  std::string unit;          // of systemd: "nginx.service"; of a user's manager the unit within
  std::string slice;         // "system.slice"
};

struct ContainerFacts {
  std::string id;          // container.id, whole
  std::string runtime;     // container.runtime.name: docker, containerd, cri-o, podman, lxc
  std::string name;        // container.name
  std::string image_name;  // container.image.name, without tag and digest
  std::string image_id;    // container.image.id
  std::vector<std::string> image_tags;     // container.image.tags
  std::vector<std::string> image_digests;  // container.image.repo_digests
  Labels labels;
  std::vector<std::string> addresses = {};  // in its networks, as text
  Variables env = {};                       // that it begins with, of those that are wanted

  friend bool operator==(const ContainerFacts&, const ContainerFacts&) = default;
};

struct PodOwner {
  std::string kind;  // ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob ...
  std::string name;
  std::string uid;

  friend bool operator==(const PodOwner&, const PodOwner&) = default;
};

// One container of a pod.
struct PodFacts {
  std::string name;
  std::string uid;
  std::string namespace_name;
  std::string node;
  std::string cluster;         // k8s.cluster.name, if configured
  std::string container_name;  // k8s.container.name; empty: of no container in particular
  uint32_t restart_count = 0;
  // Of the container's image, as the pod's specification names it: "registry/shop", "1.2",
  // "sha256:..."; each may be empty.
  std::string image_name;
  std::string image_tag;
  std::string image_digest;
  Variables env;                 // that its specification gives values to, of those that are wanted
  std::vector<PodOwner> owners;  // nearest first
  Labels labels;
  Labels annotations;
  Labels namespace_labels;
  Labels namespace_annotations;
};

// A service of Kubernetes: an address behind which pods answer, on whichever node.
struct ServiceFacts {
  std::string name;
  std::string namespace_name;
};

// All that is known of where a process runs. The facts are immutable and shared by the source, the
// processes of a container and their resources; null = not known.
struct Surroundings {
  Membership membership;
  std::shared_ptr<const ContainerFacts> container;
  std::shared_ptr<const PodFacts> pod;
  bool pending = false;  // container or pod are still being looked for
};

// Where container and pod facts come from: a runtime's socket, its state files, the Kubernetes API.
// Called on the drain thread; answers from memory and never waits. Null: not known yet, or nothing
// to know; asking about what is unknown starts the search for it.
class WorkloadSource {
 public:
  virtual ~WorkloadSource() = default;

  virtual std::shared_ptr<const ContainerFacts> Container(const Membership& /*of*/) { return {}; }
  // By the container's id, else by the pod's uid: then the facts of no container in particular.
  virtual std::shared_ptr<const PodFacts> Pod(const Membership& /*of*/) { return {}; }
  // The container, or the pod, that has this address in a network of the host; empty: none is
  // known. Asks nobody.
  virtual Surroundings AtAddress(std::string_view /*address*/) const { return {}; }
  // Still being looked for: TakeChanged() will name it within the source's time-out, also if
  // nothing was found.
  virtual bool Pending(const Membership& of) const = 0;
  // Container ids and pod uids whose facts have come, changed or are not to be had, each once since
  // the last call.
  virtual std::vector<std::string> TakeChanged() = 0;
  // The service that has this address; null: none is known. Asks nobody.
  virtual std::shared_ptr<const ServiceFacts> ServiceAt(std::string_view /*address*/) const {
    return {};
  }
};

}  // namespace sonde
