// SPDX-License-Identifier: Apache-2.0
#include "container/endpoints.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::container {
namespace {

void Add(Endpoint endpoint, Endpoints& endpoints) {
  const auto same = [&](const Endpoint& known) { return known.address() == endpoint.address(); };
  if (std::ranges::none_of(endpoints.found, same)) endpoints.found.push_back(std::move(endpoint));
}

// "unix:///run/x.sock", "/run/x.sock", "tcp://127.0.0.1:2375", "http://...".
void AddGiven(std::string_view engine, std::string_view variable, std::string_view value,
              Endpoints& endpoints) {
  Endpoint endpoint{
      .engine = std::string(engine), .socket = {}, .url = {}, .origin = std::string(variable)};
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kTcp = "tcp://";
  if (value.starts_with(kUnix)) {
    endpoint.socket = value.substr(kUnix.size());
  } else if (value.starts_with('/')) {
    endpoint.socket = value;
  } else if (value.starts_with(kTcp)) {
    endpoint.url = "http://" + std::string(value.substr(kTcp.size()));
  } else if (value.starts_with("http://")) {
    endpoint.url = value;
  }
  while (endpoint.url.ends_with('/')) endpoint.url.pop_back();
  if (!endpoint.address().empty()) return Add(std::move(endpoint), endpoints);
  endpoints.problems.push_back(std::string(variable) + "=" + std::string(value) +
                               " cannot be used: expected unix:///PATH or tcp://HOST:PORT "
                               "(without TLS)");
}

void AddDefault(std::string_view engine, std::string socket, Endpoints& endpoints) {
  Add({.engine = std::string(engine), .socket = std::move(socket), .url = {}, .origin = "default"},
      endpoints);
}

// "unix:///run/x.sock" or the path alone.
std::string SocketOf(std::string address) {
  constexpr std::string_view kUnix = "unix://";
  if (address.starts_with(kUnix)) address.erase(0, kUnix.size());
  return address;
}

}  // namespace

Endpoints FindEndpoints(const GetEnv& env, const std::string& root) {
  Endpoints endpoints;
  const std::string user = env("XDG_RUNTIME_DIR");
  if (const std::string host = env("DOCKER_HOST"); !host.empty()) {
    AddGiven("docker", "DOCKER_HOST", host, endpoints);
  } else {
    AddDefault("docker", root + "/var/run/docker.sock", endpoints);
    if (!user.empty()) AddDefault("docker", user + "/docker.sock", endpoints);
  }
  if (const std::string host = env("CONTAINER_HOST"); !host.empty()) {
    AddGiven("podman", "CONTAINER_HOST", host, endpoints);
  } else {
    AddDefault("podman", root + "/run/podman/podman.sock", endpoints);
    if (!user.empty()) AddDefault("podman", user + "/podman/podman.sock", endpoints);
  }
  return endpoints;
}

std::string FindContainerd(const GetEnv& env, const std::string& root) {
  const std::string given = SocketOf(env("CONTAINERD_ADDRESS"));
  return given.empty() ? root + "/run/containerd/containerd.sock" : given;
}

std::string FindCri(const GetEnv& env, const std::string& root) {
  const std::string given = SocketOf(env("CONTAINER_RUNTIME_ENDPOINT"));
  return given.empty() ? root + "/run/crio/crio.sock" : given;
}

}  // namespace sonde::container
