// SPDX-License-Identifier: Apache-2.0
#include "resource/peers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {
namespace {

constexpr uint8_t kUnix = 1;
constexpr uint8_t kIpv4 = 4;
constexpr uint8_t kIpv6 = 6;

Counter& Named(MetricRegistry& metrics, const char* source) {
  return metrics.AddCounter("sonde_peers_named_total",
                            "Calls whose span says which service was called", {{"source", source}});
}

// An IPv6 socket shows IPv4 addresses as ::ffff:a.b.c.d.
std::array<uint8_t, 16> Plain(const Endpoint& endpoint) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<uint8_t, 16> address = endpoint.address;
  if (endpoint.family != kIpv6 || !std::equal(kMapped.begin(), kMapped.end(), address.begin())) {
    return address;
  }
  std::copy(address.begin() + kMapped.size(), address.end(), address.begin());
  std::fill(address.begin() + 4, address.end(), uint8_t{0});
  return address;
}

bool IsLoopback(const std::array<uint8_t, 16>& address) {
  constexpr std::array<uint8_t, 16> kIpv6Loopback = {0, 0, 0, 0, 0, 0, 0, 0,
                                                     0, 0, 0, 0, 0, 0, 0, 1};
  return address == kIpv6Loopback || address[0] == 127;
}

// Is there anything to know this end by?
bool HasPlace(const Endpoint& endpoint) {
  if (endpoint.family == kUnix) return !endpoint.path.empty();
  return (endpoint.family == kIpv4 || endpoint.family == kIpv6) && endpoint.port != 0;
}

void AddText(std::string_view key, std::string value, Span& span) {
  if (!value.empty()) span.attributes.push_back({key, std::move(value)});
}

}  // namespace

Peers::Peers(const ResourceStage& resources, WorkloadSource* workloads, MetricRegistry& metrics)
    : resources_(resources),
      workloads_(workloads),
      by_process_(Named(metrics, "process")),
      by_container_(Named(metrics, "container")),
      by_pod_(Named(metrics, "pod")),
      by_service_(Named(metrics, "service")) {}

Peers::Place Peers::PlaceOf(const Endpoint& endpoint, uint64_t netns) {
  const auto address = Plain(endpoint);
  const bool of_namespace = endpoint.family == kUnix || IsLoopback(address);
  return {of_namespace ? netns : 0, endpoint.port, address, endpoint.path};
}

void Peers::Learn(const ConnectionInfo& connection, uint32_t tgid) {
  if (connection.wire || tgid == 0 || !HasPlace(connection.local)) return;
  Place place = PlaceOf(connection.local, connection.netns);
  const auto [found, is_new] = servers_.try_emplace(place, tgid);
  found->second = tgid;
  if (!is_new) return;
  order_.push_back(std::move(place));
  if (order_.size() <= kMaxServers) return;
  servers_.erase(order_.front());
  order_.pop_front();
}

void Peers::Describe(const ConnectionInfo& connection, Span& span) const {
  if (connection.wire || !HasPlace(connection.remote)) return;
  const auto server = servers_.find(PlaceOf(connection.remote, connection.netns));
  const auto resource = server == servers_.end() ? nullptr : resources_.Alive(server->second);
  if (resource != nullptr) {
    by_process_.Add();
    AddText("service.peer.name", resource->service_name, span);
    const AttributeValue* name_space = FindAttribute(resource->attributes, "service.namespace");
    const auto* text = name_space == nullptr ? nullptr : std::get_if<std::string>(name_space);
    if (text != nullptr) AddText("service.peer.namespace", *text, span);
    return;
  }
  if (workloads_ == nullptr || connection.remote.family == kUnix) return;
  Endpoint plain = connection.remote;
  plain.address = Plain(connection.remote);
  if (plain.address != connection.remote.address) plain.family = kIpv4;
  const std::string address = plain.AddressText();
  if (const auto service = workloads_->ServiceAt(address)) {
    by_service_.Add();
    AddText("service.peer.name", service->name, span);
    AddText("service.peer.namespace", service->namespace_name, span);
    return;
  }
  const Surroundings around = workloads_->AtAddress(address);
  std::string name = resources_.NameAround(around);
  if (name.empty()) return;
  (around.pod == nullptr ? by_container_ : by_pod_).Add();
  AddText("service.peer.name", std::move(name), span);
  if (around.pod != nullptr) {
    AddText("service.peer.namespace", around.pod->namespace_name, span);
  }
}

}  // namespace sonde::resource
