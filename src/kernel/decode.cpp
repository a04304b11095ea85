// SPDX-License-Identifier: Apache-2.0
#include "kernel/decode.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sonde/abi/record.h"
#include "sonde/abi/runtime.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel {
namespace {

// Copies the fixed part of a record; false if the record is shorter.
template <typename Record>
bool ReadFixed(std::string_view bytes, Record& record) {
  if (bytes.size() < sizeof(Record)) return false;
  std::memcpy(&record, bytes.data(), sizeof(Record));
  return true;
}

// Text in a fixed field, up to its first NUL.
std::string_view FieldText(const char* field, size_t size) {
  const std::string_view whole(field, size);
  return whole.substr(0, whole.find('\0'));
}

RuntimeKind RuntimeOf(uint8_t kind) {
  return kind < SONDE_RUNTIME_COUNT ? static_cast<RuntimeKind>(kind) : RuntimeKind::kNone;
}

// Of a thread itself, or of what it has entered.
bool IsThread(const sonde_data_record& record) {
  constexpr uint64_t kMarks = SONDE_PYTHON_OWN | SONDE_PYTHON_STACK;
  return record.runtime == SONDE_RUNTIME_PYTHON && (record.execution_id & kMarks) != 0;
}

DecodeOutcome DecodeData(std::string_view bytes, EventHandler& handler) {
  sonde_data_record record;
  if (!ReadFixed(bytes, record)) return DecodeOutcome::kInvalid;
  const std::string_view payload = bytes.substr(sizeof(record));
  const uint64_t copied = uint64_t{record.captured} + record.tail;
  if (record.length == 0 || record.direction > SONDE_SEND || record.source >= SONDE_SOURCE_COUNT ||
      copied > record.length || copied > payload.size()) {
    return DecodeOutcome::kInvalid;
  }
  DataEvent event;
  event.mono_ns = record.header.mono_ns;
  event.connection = record.connection;
  event.position = record.position;
  event.who = {record.tgid, record.tid, record.execution_id, RuntimeOf(record.runtime),
               IsThread(record)};
  event.length = record.length;
  event.direction = static_cast<Direction>(record.direction);
  event.source = static_cast<Source>(record.source);
  event.unseen = (record.flags & SONDE_DATA_UNSEEN) != 0;
  event.prefix = payload.substr(0, record.captured);
  event.tail = payload.substr(record.captured, record.tail);
  handler.OnData(event);
  return DecodeOutcome::kDone;
}

// The bound path; abstract names, which begin with NUL, are written with '@' as ss and
// /proc/net/unix do.
std::string SocketPath(const sonde_open_record& record) {
  const size_t size = std::min<size_t>(record.path_length, sizeof(record.path));
  std::string path(reinterpret_cast<const char*>(record.path), size);
  if (path.empty()) return path;
  if (path[0] == '\0') {
    path[0] = '@';
    return path;
  }
  path.resize(std::min(path.size(), path.find('\0')));
  return path;
}

Endpoint MakeEndpoint(const sonde_open_record& record, uint16_t port, const __u8 (&address)[16]) {
  Endpoint endpoint;
  endpoint.family = record.family;
  endpoint.port = port;
  std::ranges::copy(address, endpoint.address.begin());
  return endpoint;
}

DecodeOutcome DecodeOpen(std::string_view bytes, EventHandler& handler) {
  sonde_open_record record;
  if (!ReadFixed(bytes, record) || record.transport > SONDE_TRANSPORT_UNIX ||
      (record.family != 4 && record.family != 6 && record.family != 1 &&
       !(record.family == 0 && record.plain_text != 0))) {
    return DecodeOutcome::kInvalid;
  }
  OpenEvent event;
  event.mono_ns = record.header.mono_ns;
  event.connection = record.connection;
  event.peer = record.peer_connection;
  event.netns = record.netns_inode;
  event.who = {record.tgid, record.tid};
  event.transport = static_cast<Transport>(record.transport);
  event.plain_text = record.plain_text != 0;
  event.local = MakeEndpoint(record, record.local_port, record.local_address);
  event.remote = MakeEndpoint(record, record.remote_port, record.remote_address);
  if (event.transport == Transport::kUnix) {
    // The record does not say which end is bound; it is the connection's name for both.
    event.local.path = SocketPath(record);
    event.remote.path = event.local.path;
  }
  event.has_begin = record.has_begin != 0;
  event.begin = {record.begin[SONDE_RECEIVE], record.begin[SONDE_SEND]};
  handler.OnOpen(event);
  return DecodeOutcome::kDone;
}

DecodeOutcome DecodeShutdown(std::string_view bytes, EventHandler& handler) {
  sonde_shutdown_record record;
  if (!ReadFixed(bytes, record) || record.direction > SONDE_BOTH) return DecodeOutcome::kInvalid;
  ShutdownEvent event;
  event.mono_ns = record.header.mono_ns;
  event.connection = record.connection;
  event.receive = record.direction != SONDE_SEND;
  event.send = record.direction != SONDE_RECEIVE;
  event.has_position = record.has_position != 0;
  event.position = record.position;
  handler.OnShutdown(event);
  return DecodeOutcome::kDone;
}

DecodeOutcome DecodeMapped(std::string_view bytes, EventHandler& handler) {
  sonde_mapped_record record;
  if (!ReadFixed(bytes, record)) return DecodeOutcome::kInvalid;
  handler.OnMapped({.mono_ns = record.header.mono_ns, .tgid = record.tgid, .inode = record.inode});
  return DecodeOutcome::kDone;
}

DecodeOutcome DecodeExecution(std::string_view bytes, EventHandler& handler) {
  sonde_execution_record record;
  if (!ReadFixed(bytes, record)) return DecodeOutcome::kInvalid;
  if (record.event < SONDE_EXECUTION_MADE || record.event > SONDE_EXECUTION_STREAM) {
    return DecodeOutcome::kUnknown;
  }
  handler.OnExecution({.mono_ns = record.header.mono_ns,
                       .change = static_cast<ExecutionChange>(record.event),
                       .connection = record.connection,
                       .from = record.from,
                       .to = record.to,
                       .counter = record.counter,
                       .by = {record.tgid, record.tid, 0, RuntimeOf(record.runtime)}});
  return DecodeOutcome::kDone;
}

DecodeOutcome DecodeProcess(std::string_view bytes, ProcessChange change, EventHandler& handler) {
  sonde_process_record record;
  if (!ReadFixed(bytes, record) || record.program_bytes > sizeof(record.program)) {
    return DecodeOutcome::kInvalid;
  }
  ProcessEvent event;
  event.mono_ns = record.header.mono_ns;
  event.change = change;
  event.tgid = record.tgid;
  event.parent_tgid = record.parent_tgid;
  event.start_ns = record.start_ns;
  event.cgroup_id = record.cgroup_id;
  event.traced = record.traced != 0;
  event.listen_port = record.listen_port;
  event.comm = FieldText(record.comm, sizeof(record.comm));
  event.program = std::string_view(record.program, record.program_bytes);
  handler.OnProcess(event);
  return DecodeOutcome::kDone;
}

}  // namespace

DecodeOutcome Decode(std::string_view record, EventHandler& handler) {
  sonde_record_header header;
  if (!ReadFixed(record, header) || header.size > record.size()) return DecodeOutcome::kInvalid;
  record = record.substr(0, header.size);
  switch (header.type) {
    case SONDE_RECORD_DATA:
      return DecodeData(record, handler);
    case SONDE_RECORD_OPEN:
      return DecodeOpen(record, handler);
    case SONDE_RECORD_SHUTDOWN:
      return DecodeShutdown(record, handler);
    case SONDE_RECORD_FORK:
      return DecodeProcess(record, ProcessChange::kFork, handler);
    case SONDE_RECORD_EXEC:
      return DecodeProcess(record, ProcessChange::kExec, handler);
    case SONDE_RECORD_EXIT:
      return DecodeProcess(record, ProcessChange::kExit, handler);
    case SONDE_RECORD_LISTEN:
      return DecodeProcess(record, ProcessChange::kListen, handler);
    case SONDE_RECORD_MAPPED:
      return DecodeMapped(record, handler);
    case SONDE_RECORD_EXECUTION:
      return DecodeExecution(record, handler);
    default:
      return DecodeOutcome::kUnknown;
  }
}

}  // namespace sonde::kernel
