// SPDX-License-Identifier: Apache-2.0
// Turns TCP segments into events: one connection per flow, seen from its server's side. Puts
// nothing in order: that is the connection stage's work, on packets as on kernel records.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "replay/packet.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"

namespace sonde::replay {

class FlowTable {
 public:
  FlowTable(EventHandler& handler, MetricRegistry& metrics);

  void OnSegment(const Segment& segment, uint64_t time_ns);

 private:
  // Addresses and ports of both ends, in a fixed order: the same for both directions.
  using Key = std::array<uint8_t, 36>;
  struct Flow {
    ConnectionId id = 0;
    Endpoint server;
    bool has_data = false;  // a SYN from now on means that the ports are used again
  };

  static Key KeyOf(const Segment& segment);
  void Open(const Segment& segment, uint64_t time_ns, Flow& flow);
  void Close(const Flow& flow, uint64_t time_ns);
  void Deliver(const Segment& segment, uint64_t time_ns, Flow& flow);

  EventHandler& handler_;
  Counter& refused_;
  absl::flat_hash_map<Key, Flow> flows_;
  ConnectionId last_id_ = 0;
};

}  // namespace sonde::replay
