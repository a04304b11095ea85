// SPDX-License-Identifier: Apache-2.0
// Everything the kernel side reported, in order, with its bytes kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/event.h"

namespace sonde::kernel_test {

// A DataEvent that owns its bytes.
struct Data {
  explicit Data(const DataEvent& data) : event(data), prefix(data.prefix), tail(data.tail) {}

  DataEvent event;  // without its views
  std::string prefix;
  std::string tail;
};

struct Process {
  explicit Process(const ProcessEvent& process)
      : event(process), comm(process.comm), program(process.program) {}

  ProcessEvent event;  // without its views
  std::string comm;
  std::string program;
};

class Log : public EventHandler {
 public:
  void OnOpen(const OpenEvent& event) override { opens.push_back(event); }
  void OnData(const DataEvent& event) override { data.emplace_back(event); }
  void OnShutdown(const ShutdownEvent& event) override { shutdowns.push_back(event); }
  void OnProcess(const ProcessEvent& event) override { processes.emplace_back(event); }
  void OnExecution(const ExecutionEvent& event) override { executions.push_back(event); }
  void OnMapped(const MappedEvent& event) override { mapped.push_back(event); }
  void OnTick(uint64_t mono_ns) override { ticked_ns = mono_ns; }

  std::vector<Data> Of(ConnectionId connection, Direction direction) const;
  size_t Opens(ConnectionId connection) const;
  size_t Count(ProcessChange change, uint32_t tgid) const;
  bool Has(ProcessChange change, uint32_t tgid) const { return Count(change, tgid) > 0; }

  std::vector<OpenEvent> opens;
  std::vector<Data> data;
  std::vector<ShutdownEvent> shutdowns;
  std::vector<Process> processes;
  std::vector<ExecutionEvent> executions;
  std::vector<MappedEvent> mapped;
  uint64_t ticked_ns = 0;
};

// What ExpectStream found out on the way.
struct Coverage {
  size_t records = 0;
  uint64_t captured_bytes = 0;
  uint64_t unseen_bytes = 0;   // of records that say so
  uint64_t missing_bytes = 0;  // holes: no record
};

// The records of one direction of a connection must tell `stream`, no byte at another place than it
// was sent at, each record behind the one before, with holes only if `holes` says so. They begin
// where the OPEN record says; unix: at 0.
Coverage ExpectStream(const Log& log, ConnectionId connection, Direction direction,
                      std::string_view stream, bool holes = false);
// ... and with every byte captured.
void ExpectWhole(const Log& log, ConnectionId connection, Direction direction,
                 std::string_view stream);

}  // namespace sonde::kernel_test
