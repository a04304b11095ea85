// SPDX-License-Identifier: Apache-2.0
// All connections: from events to exchanges. Keeps the number of connections and the kept bytes
// inside the limits, runs the timers, and forgets what is over. Drain thread only.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "connection/connection.h"
#include "connection/connection_list.h"
#include "connection/environment.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {

class ConnectionTable final : public EventHandler {
 public:
  // Everything given by reference outlives the table.
  static Result<std::unique_ptr<ConnectionTable>> Create(const LimitOptions& limits,
                                                         ProtocolList protocols, ExchangeSink& sink,
                                                         VerdictSink& verdicts,
                                                         MetricRegistry& registry);
  ~ConnectionTable() override;

  void OnOpen(const OpenEvent& event) override;
  // The same for a connection that nobody wants to have traced: what comes of it is left alone.
  void Refuse(const OpenEvent& event);
  // A DataEvent of length 0 says at which position its direction begins.
  void OnData(const DataEvent& event) override;
  void OnShutdown(const ShutdownEvent& event) override;
  void OnProcess(const ProcessEvent& event) override;  // only kExit matters here
  void OnTick(uint64_t mono_ns) override;

  // What the process had open is given out as unfinished, within a second.
  void OnProcessExit(uint32_t tgid, uint64_t mono_ns);
  // Gives out every open exchange as unfinished "shutdown" and forgets all connections.
  void Shutdown(uint64_t mono_ns);

  size_t size() const { return connections_.size(); }
  size_t buffered_bytes() const { return environment_.buffers.used; }
  size_t parser_bytes() const { return environment_.parser_memory.used(); }

 private:
  ConnectionTable(const LimitOptions& limits, ProtocolList protocols, ExchangeSink& sink,
                  VerdictSink& verdicts, MetricRegistry& registry);

  Connection& Add(const OpenEvent& event);
  Connection* Find(ConnectionId id);
  // Into the list it belongs to now; to its front if an event `touched` it.
  void Place(Connection& connection, bool touched = true);
  void Unlink(Connection& connection);
  void Forget(Connection& connection);
  void EvictOne();
  void TickWaiting(uint64_t mono_ns);
  void Sweep(uint64_t mono_ns);
  void SweepWarm(uint64_t mono_ns);
  void SweepExits();
  bool ClosedLately(ConnectionId id) const { return closed_[id % closed_.size()] == id; }

  Environment environment_;
  absl::flat_hash_map<ConnectionId, std::unique_ptr<Connection>> connections_;
  ConnectionList warm_{1};       // with buffers or a parser
  ConnectionList cold_{2};       // nothing but the Connection
  ConnectionList cold_unix_{3};  // the same; their close is not seen
  std::vector<ConnectionId> waiting_;
  absl::flat_hash_map<uint32_t, uint64_t> exits_;  // tgid -> time of its end
  // Ids closed lately, so that a record that was overtaken by the close makes no new connection.
  std::array<ConnectionId, 1024> closed_{};
  uint64_t next_waiting_ns_ = 0;
  uint64_t next_sweep_ns_ = 0;
};

}  // namespace sonde::connection
