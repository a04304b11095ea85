// SPDX-License-Identifier: Apache-2.0
// What the Docker Engine's API says, and podman's where it is compatible: containers, images,
// events, and Docker's own file about a container, which has the same shape. Any text is fine; what
// has another shape is left out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde::container {

// Answer of GET /containers/ID/json, or config.v2.json. Empty if it is no container. `cut` counts
// labels and names that were cut or left out.
std::optional<ContainerFacts> ParseDockerContainer(std::string_view json, size_t* cut = nullptr);

// Answer of GET /images/ID/json: tags and digests are added to `facts`. A container whose image's
// name has moved on to another image keeps the name it was started with.
void AddDockerImage(std::string_view json, ContainerFacts& facts);

// Answer of GET /containers/json: the ids.
std::vector<std::string> ParseDockerList(std::string_view json);

// A line of GET /events.
struct DockerEvent {
  std::string id;
  std::string action;  // create, start, rename, update, die, destroy ...
};
std::optional<DockerEvent> ParseDockerEvent(std::string_view json);

}  // namespace sonde::container
