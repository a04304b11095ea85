// SPDX-License-Identifier: Apache-2.0
// Records as the kernel side writes them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/abi/record.h"
#include "sonde/pipeline/event.h"

namespace sonde::kernel_unit {

template <typename Record>
Record MakeRecord(uint16_t type, uint64_t mono_ns = 1000) {
  Record record = {};
  record.header.type = type;
  record.header.size = sizeof(Record);
  record.header.mono_ns = mono_ns;
  return record;
}

template <typename Record>
std::string BytesOf(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof(record)};
}

inline std::string DataRecord(std::string_view prefix, std::string_view tail = "",
                              uint32_t length = 0, uint64_t mono_ns = 1000) {
  auto record = MakeRecord<sonde_data_record>(SONDE_RECORD_DATA, mono_ns);
  record.connection = 0x1122334455667788;
  record.position = 0xfffffff0;
  record.execution_id = 77;
  record.tgid = 10;
  record.tid = 11;
  record.captured = static_cast<uint32_t>(prefix.size());
  record.tail = static_cast<uint16_t>(tail.size());
  record.length = length != 0 ? length : static_cast<uint32_t>(prefix.size() + tail.size());
  record.direction = SONDE_SEND;
  const size_t payload = (prefix.size() + tail.size() + 7) / 8 * 8;
  record.header.size = static_cast<uint32_t>(sizeof(record) + payload);
  std::string bytes = BytesOf(record) + std::string(prefix) + std::string(tail);
  bytes.resize(record.header.size, '\0');
  return bytes;
}

inline sonde_open_record OpenRecord() {
  auto record = MakeRecord<sonde_open_record>(SONDE_RECORD_OPEN);
  record.connection = 5;
  record.netns_inode = 4026531840;
  record.tgid = 10;
  record.tid = 11;
  record.family = 4;
  record.local_port = 40000;
  record.remote_port = 80;
  record.local_address[0] = 127;
  record.local_address[3] = 1;
  record.remote_address[0] = 10;
  record.has_begin = 1;
  record.begin[SONDE_RECEIVE] = 100;
  record.begin[SONDE_SEND] = 200;
  return record;
}

inline sonde_open_record UnixRecord(std::string_view path) {
  auto record = OpenRecord();
  record.transport = SONDE_TRANSPORT_UNIX;
  record.family = 1;
  record.has_begin = 0;
  record.peer_connection = 6;
  record.path_length = static_cast<uint16_t>(path.size());
  std::memcpy(record.path, path.data(), std::min(path.size(), sizeof(record.path)));
  return record;
}

inline sonde_process_record ProcessRecord(uint16_t type, std::string_view program = "") {
  auto record = MakeRecord<sonde_process_record>(type);
  record.tgid = 20;
  record.parent_tgid = 10;
  record.start_ns = 123;
  record.cgroup_id = 456;
  record.traced = 1;
  record.listen_port = type == SONDE_RECORD_LISTEN ? 8080 : 0;
  std::memcpy(record.comm, "worker", 7);
  record.program_bytes = static_cast<uint16_t>(program.size());
  std::memcpy(record.program, program.data(), program.size());
  return record;
}

// One of every kind.
inline std::vector<std::string> EveryRecord() {
  auto shutdown = MakeRecord<sonde_shutdown_record>(SONDE_RECORD_SHUTDOWN);
  shutdown.connection = 5;
  shutdown.position = 300;
  shutdown.has_position = 1;
  return {BytesOf(OpenRecord()),
          BytesOf(UnixRecord("/run/app.sock")),
          DataRecord("GET / HTTP/1.1\r\n\r\n"),
          DataRecord("prefix", "tail", 5000),
          DataRecord("", "", 100),
          BytesOf(shutdown),
          BytesOf(ProcessRecord(SONDE_RECORD_FORK)),
          BytesOf(ProcessRecord(SONDE_RECORD_EXEC, "/bin/sh")),
          BytesOf(ProcessRecord(SONDE_RECORD_EXIT)),
          BytesOf(ProcessRecord(SONDE_RECORD_LISTEN))};
}

// Writes down what it is given, one line per event; views are copied.
class Notes : public EventHandler {
 public:
  void OnOpen(const OpenEvent& event) override {
    Add("open", event.connection);
    opens.push_back(event);
  }
  void OnData(const DataEvent& event) override {
    Add("data", event.connection);
    data.push_back(event);
    data.back().prefix = data.back().tail = {};
    lines.back() += " " + std::string(event.prefix) + "|" + std::string(event.tail);
  }
  void OnShutdown(const ShutdownEvent& event) override {
    Add("shutdown", event.connection);
    shutdowns.push_back(event);
  }
  void OnProcess(const ProcessEvent& event) override {
    Add("process", event.tgid);
    processes.push_back(event);
    processes.back().comm = processes.back().program = {};
    lines.back() += " " + std::string(event.comm) + "|" + std::string(event.program);
  }
  void OnTick(uint64_t mono_ns) override { ticks.push_back(mono_ns); }

  std::vector<std::string> lines;
  std::vector<OpenEvent> opens;
  std::vector<DataEvent> data;  // without their views
  std::vector<ShutdownEvent> shutdowns;
  std::vector<ProcessEvent> processes;
  std::vector<uint64_t> ticks;

 private:
  void Add(const std::string& what, uint64_t id) {
    lines.push_back(what + " " + std::to_string(id));
  }
};

}  // namespace sonde::kernel_unit
