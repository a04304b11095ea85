// SPDX-License-Identifier: Apache-2.0
// What runtimes write down about their containers, for hosts whose sockets sonde may not use. Less
// than an engine tells: labels from Docker, CRI-O and containerd's annotations, not from podman.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container/provider.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

class StateFiles final : public Provider {
 public:
  // `root`: the host's root directory as sonde sees it, "" for its own.
  explicit StateFiles(std::string root = "") : root_(std::move(root)) {}

  std::string_view name() const override { return "state_files"; }
  Result<ContainerFacts> Find(const std::string& id, size_t* cut) override;
  int64_t Stamp(const std::string& id) override;

  // Directories of runtimes that are there, and whether sonde may read them.
  struct Place {
    std::string runtime;
    std::string path;
    bool readable = false;
  };
  std::vector<Place> Places() const;

 private:
  // The file that tells of this container, and which runtime's it is.
  struct File {
    std::string path;
    std::optional<ContainerFacts> (*parse)(const std::string& id, std::string_view text,
                                           size_t* cut) = nullptr;
    std::string spec = {};  // where the environment is, if not there
  };
  std::optional<File> FileOf(const std::string& id) const;

  std::string root_;
};

// /var/lib/docker/containers/ID/config.v2.json is ParseDockerContainer's. The others, each of which
// is empty if the text is nothing of the kind:
// OCI config.json of containerd, with the annotations of its CRI plug-in and of nerdctl.
std::optional<ContainerFacts> ParseContainerdSpec(const std::string& id, std::string_view json,
                                                  size_t* cut);
// OCI config.json of CRI-O.
std::optional<ContainerFacts> ParseCrioSpec(const std::string& id, std::string_view json,
                                            size_t* cut);
// overlay-containers/containers.json of containers/storage: podman's and CRI-O's list.
std::optional<ContainerFacts> ParseStorageList(const std::string& id, std::string_view json,
                                               size_t* cut);

}  // namespace sonde::container
