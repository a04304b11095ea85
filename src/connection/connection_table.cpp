// SPDX-License-Identifier: Apache-2.0
#include "connection/connection_table.h"

#include <absl/status/status.h>

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
namespace {

constexpr uint64_t kWaitingPeriodNs = 50'000'000;
constexpr uint64_t kSweepPeriodNs = 1'000'000'000;
// A connection without traffic for this long drops buffers and parser.
constexpr uint64_t kCoolAfterNs = 1'000'000'000;
// A unix socket's close is not seen.
constexpr uint64_t kForgetUnixAfterNs = 300'000'000'000;

}  // namespace

Result<std::unique_ptr<ConnectionTable>> ConnectionTable::Create(const LimitOptions& limits,
                                                                 ProtocolList protocols,
                                                                 ExchangeSink& sink,
                                                                 VerdictSink& verdicts,
                                                                 MetricRegistry& registry) {
  if (protocols.empty() || protocols.size() > UINT8_MAX) {
    return absl::InvalidArgumentError("connection: between 1 and 255 protocols must be registered");
  }
  if (limits.max_connections == 0) {
    return absl::InvalidArgumentError("limits.max_connections: expected at least 1");
  }
  return std::unique_ptr<ConnectionTable>(
      new ConnectionTable(limits, protocols, sink, verdicts, registry));
}

ConnectionTable::ConnectionTable(const LimitOptions& limits, ProtocolList protocols,
                                 ExchangeSink& sink, VerdictSink& verdicts,
                                 MetricRegistry& registry)
    : environment_(limits, protocols, sink, verdicts, registry) {}

ConnectionTable::~ConnectionTable() = default;

Connection* ConnectionTable::Find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

Connection& ConnectionTable::Add(const OpenEvent& event) {
  while (connections_.size() >= environment_.limits.max_connections) EvictOne();
  auto& slot = connections_[event.connection];
  slot = std::make_unique<Connection>(environment_, event);
  if (ClosedLately(event.connection)) closed_[event.connection % closed_.size()] = 0;
  return *slot;
}

void ConnectionTable::OnOpen(const OpenEvent& event) {
  Connection* connection = Find(event.connection);
  if (connection != nullptr) {
    if (connection->SameEnds(event)) return;  // a further process of the same socket
    if (connection->info().local.family == 0 && connection->info().remote.family == 0) {
      connection->SetEnds(event);
      return;
    }
    Forget(*connection);  // the number was given to a new socket
  }
  Place(Add(event));
}

void ConnectionTable::Refuse(const OpenEvent& event) {
  OnOpen(event);
  Connection* connection = Find(event.connection);
  if (connection->state() != State::kUnknown || connection->warm()) return;  // wanted before
  connection->Ignore();
  Place(*connection);
}

void ConnectionTable::OnData(const DataEvent& event) {
  Connection* connection = Find(event.connection);
  if (connection == nullptr) {
    if (ClosedLately(event.connection)) {
      environment_.duplicates.Add();
      return;
    }
    connection = &Add({.mono_ns = event.mono_ns,
                       .connection = event.connection,
                       .who = event.who,
                       .local = {},
                       .remote = {}});
  }
  connection->OnData(event);
  Place(*connection);
}

void ConnectionTable::OnShutdown(const ShutdownEvent& event) {
  Connection* connection = Find(event.connection);
  if (connection == nullptr) return;
  if (connection->OnShutdown(event)) {
    Forget(*connection);
  } else {
    Place(*connection);
  }
}

void ConnectionTable::OnProcess(const ProcessEvent& event) {
  if (event.change == ProcessChange::kExit) OnProcessExit(event.tgid, event.mono_ns);
}

void ConnectionTable::OnProcessExit(uint32_t tgid, uint64_t mono_ns) {
  // Settled by the next sweep: a storm of short processes must not search all connections each
  // time.
  if (!connections_.empty()) exits_[tgid] = mono_ns;
}

void ConnectionTable::Place(Connection& connection, bool touched) {
  if (connection.waiting() && !connection.in_waiting) {
    connection.in_waiting = true;
    waiting_.push_back(connection.id());
  }
  ConnectionList& cold = connection.info().transport == Transport::kUnix ? cold_unix_ : cold_;
  ConnectionList& list = connection.warm() ? warm_ : cold;
  if (list.front() == &connection || (!touched && list.Has(connection))) return;
  Unlink(connection);
  list.PushFront(connection);
}

void ConnectionTable::Unlink(Connection& connection) {
  for (ConnectionList* list : {&warm_, &cold_, &cold_unix_}) {
    if (list->Has(connection)) return list->Remove(connection);
  }
}

void ConnectionTable::Forget(Connection& connection) {
  connection.Close(Unfinished::kConnectionClosed, true);
  const ConnectionId id = connection.id();
  closed_[id % closed_.size()] = id;
  Unlink(connection);
  connections_.erase(id);
}

void ConnectionTable::EvictOne() {
  Connection* idlest = nullptr;
  for (const ConnectionList* list : {&cold_, &cold_unix_}) {
    Connection* candidate = list->back();
    if (candidate == nullptr) continue;
    if (idlest == nullptr || candidate->last_ns() < idlest->last_ns()) idlest = candidate;
  }
  if (idlest == nullptr) idlest = warm_.back();
  environment_.evicted.Add();
  const ConnectionId id = idlest->id();
  Forget(*idlest);
  closed_[id % closed_.size()] = 0;  // it lives on and may speak again
}

void ConnectionTable::OnTick(uint64_t mono_ns) {
  if (mono_ns >= next_waiting_ns_) {
    next_waiting_ns_ = mono_ns + kWaitingPeriodNs;
    TickWaiting(mono_ns);
  }
  if (mono_ns >= next_sweep_ns_) {
    next_sweep_ns_ = mono_ns + kSweepPeriodNs;
    Sweep(mono_ns);
  }
}

void ConnectionTable::TickWaiting(uint64_t mono_ns) {
  std::vector<ConnectionId> ids;
  ids.swap(waiting_);
  for (const ConnectionId id : ids) {
    Connection* connection = Find(id);
    if (connection == nullptr || !connection->in_waiting) continue;
    connection->in_waiting = false;
    if (connection->OnTick(mono_ns)) {
      Forget(*connection);
    } else {
      Place(*connection, false);
    }
  }
}

void ConnectionTable::Sweep(uint64_t mono_ns) {
  SweepExits();
  SweepWarm(mono_ns);
  while (Connection* idlest = cold_unix_.back()) {
    if (idlest->last_ns() + kForgetUnixAfterNs > mono_ns) break;
    const ConnectionId id = idlest->id();
    Forget(*idlest);
    closed_[id % closed_.size()] = 0;
  }
}

void ConnectionTable::SweepWarm(uint64_t mono_ns) {
  Connection* previous = nullptr;
  for (Connection* connection = warm_.back(); connection != nullptr; connection = previous) {
    previous = connection->list_previous;
    if (connection->last_ns() + kCoolAfterNs > mono_ns) continue;
    if (connection->OnTick(mono_ns)) {
      Forget(*connection);
    } else if (connection->Cool()) {
      Place(*connection, false);
    }
  }
}

void ConnectionTable::SweepExits() {
  if (exits_.empty()) return;
  for (auto& [id, connection] : connections_) {
    const auto exit = exits_.find(connection->last_tgid());
    if (exit == exits_.end() || connection->last_ns() > exit->second) continue;
    // The socket may live on in another process: only what is open ends here.
    connection->Close(Unfinished::kConnectionClosed, false);
    Place(*connection, false);
  }
  exits_.clear();
}

void ConnectionTable::Shutdown(uint64_t /*mono_ns*/) {
  SweepExits();
  for (auto& [id, connection] : connections_) {
    connection->Close(Unfinished::kShutdown, false);
    Unlink(*connection);
  }
  connections_.clear();
  waiting_.clear();
}

}  // namespace sonde::connection
