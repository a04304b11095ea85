// SPDX-License-Identifier: Apache-2.0
// Where container engines listen, found as their own clients find them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::container {

struct Endpoint {
  std::string engine;  // docker, podman: also ContainerFacts::runtime
  std::string socket;  // path of a unix socket, or empty
  std::string url;     // "http://host:port" if there is no socket
  std::string origin;  // "DOCKER_HOST", "default"

  const std::string& address() const { return socket.empty() ? url : socket; }
};

// Value of a variable of sonde's own environment, or "".
using GetEnv = std::function<std::string(const char* name)>;

struct Endpoints {
  std::vector<Endpoint> found;        // each address once; whether somebody listens is not checked
  std::vector<std::string> problems;  // values that cannot be used, with the remedy
};

// DOCKER_HOST, else /var/run/docker.sock and the rootless $XDG_RUNTIME_DIR/docker.sock;
// CONTAINER_HOST, else /run/podman/podman.sock and $XDG_RUNTIME_DIR/podman/podman.sock.
// The default paths are taken beneath `root`.
Endpoints FindEndpoints(const GetEnv& env, const std::string& root = "");
// CONTAINERD_ADDRESS, else /run/containerd/containerd.sock beneath `root`.
std::string FindContainerd(const GetEnv& env, const std::string& root = "");
// CONTAINER_RUNTIME_ENDPOINT, as of crictl, else CRI-O's /run/crio/crio.sock beneath `root`.
std::string FindCri(const GetEnv& env, const std::string& root = "");

}  // namespace sonde::container
