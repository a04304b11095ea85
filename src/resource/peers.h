// SPDX-License-Identifier: Apache-2.0
// Which service is at the other end of a call: learnt from the requests that traced processes of
// this host answer, and from the addresses of containers, pods and services. Looks into memory
// only. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <tuple>

#include "resource/resource_stage.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {

class Peers {
 public:
  // Addresses at which somebody answers; beyond, the one that was learnt first is forgotten.
  static constexpr size_t kMaxServers = 4096;

  // All outlive it; `workloads` may be null.
  Peers(const ResourceStage& resources, WorkloadSource* workloads, MetricRegistry& metrics);

  // A request that `tgid` answered on this connection.
  void Learn(const ConnectionInfo& connection, uint32_t tgid);
  // service.peer.name and service.peer.namespace of a call, where they are known: those of the
  // process that was last seen to answer at this address, else of the Kubernetes service, pod or
  // container that has it.
  void Describe(const ConnectionInfo& connection, Span& span) const;

 private:
  // Loopback addresses and paths of sockets mean something else in each network namespace.
  using Place = std::tuple<uint64_t, uint16_t, std::array<uint8_t, 16>, std::string>;
  static Place PlaceOf(const Endpoint& endpoint, uint64_t netns);

  const ResourceStage& resources_;
  WorkloadSource* workloads_;
  absl::flat_hash_map<Place, uint32_t> servers_;
  std::deque<Place> order_;  // oldest first
  Counter& by_process_;
  Counter& by_container_;
  Counter& by_pod_;
  Counter& by_service_;
};

}  // namespace sonde::resource
