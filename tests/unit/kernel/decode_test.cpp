// SPDX-License-Identifier: Apache-2.0
#include "kernel/decode.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "sonde/abi/record.h"
#include "sonde/abi/recording.h"
#include "sonde/pipeline/event.h"
#include "unit/kernel/record_samples.h"

namespace sonde::kernel_unit {
namespace {

using kernel::Decode;
using kernel::DecodeOutcome;

// In memory of exactly its size, so that a sanitizer sees a byte too much, and at an odd address.
DecodeOutcome DecodeExactly(std::string_view record, Notes& notes) {
  const auto memory = std::make_unique<char[]>(record.size() + 1);
  std::memcpy(memory.get() + 1, record.data(), record.size());
  return Decode({memory.get() + 1, record.size()}, notes);
}

TEST(DecodeTest, Data) {
  Notes notes;
  ASSERT_EQ(DecodeExactly(DataRecord("head", "end", 900), notes), DecodeOutcome::kDone);
  ASSERT_EQ(notes.data.size(), 1U);
  const DataEvent& event = notes.data[0];
  EXPECT_EQ(event.mono_ns, 1000U);
  EXPECT_EQ(event.connection, 0x1122334455667788U);
  EXPECT_EQ(event.position, 0xfffffff0U);
  EXPECT_EQ(event.who, (Execution{10, 11, 77}));
  EXPECT_EQ(event.length, 900U);
  EXPECT_EQ(event.direction, Direction::kSend);
  EXPECT_FALSE(event.unseen);
  EXPECT_TRUE(notes.lines[0].ends_with(" head|end"));
}

TEST(DecodeTest, UnseenData) {
  auto record = MakeRecord<sonde_data_record>(SONDE_RECORD_DATA);
  record.length = 4096;
  record.flags = SONDE_DATA_UNSEEN;
  Notes notes;
  ASSERT_EQ(DecodeExactly(BytesOf(record), notes), DecodeOutcome::kDone);
  EXPECT_TRUE(notes.data[0].unseen);
  EXPECT_EQ(notes.data[0].length, 4096U);
}

TEST(DecodeTest, Open) {
  Notes notes;
  ASSERT_EQ(DecodeExactly(BytesOf(OpenRecord()), notes), DecodeOutcome::kDone);
  const OpenEvent& event = notes.opens[0];
  EXPECT_EQ(event.connection, 5U);
  EXPECT_EQ(event.netns, 4026531840U);
  EXPECT_EQ(event.transport, Transport::kTcp);
  EXPECT_EQ(event.local.AddressText(), "127.0.0.1");
  EXPECT_EQ(event.local.port, 40000);
  EXPECT_EQ(event.remote.AddressText(), "10.0.0.0");
  EXPECT_EQ(event.remote.port, 80);
  EXPECT_TRUE(event.has_begin);
  EXPECT_EQ(event.begin[0], 100U);
  EXPECT_EQ(event.begin[1], 200U);
}

TEST(DecodeTest, UnixPaths) {
  const auto path = [](std::string_view bytes) {
    Notes notes;
    EXPECT_EQ(DecodeExactly(BytesOf(UnixRecord(bytes)), notes), DecodeOutcome::kDone);
    EXPECT_EQ(notes.opens.at(0).peer, 6U);
    EXPECT_EQ(notes.opens.at(0).remote.path, notes.opens.at(0).local.path);
    return notes.opens.at(0).local.path;
  };
  EXPECT_EQ(path(""), "");
  EXPECT_EQ(path("/run/app.sock"), "/run/app.sock");
  EXPECT_EQ(path(std::string_view("/run/app.sock\0", 14)), "/run/app.sock");
  EXPECT_EQ(path(std::string_view("\0name", 5)), "@name");
  EXPECT_EQ(path(std::string_view("\0", 1)), "@");
  EXPECT_EQ(path(std::string(108, 'p')), std::string(108, 'p'));
  // longer than there is room: what is there
  auto record = UnixRecord(std::string(108, 'p'));
  record.path_length = 65535;
  Notes notes;
  ASSERT_EQ(DecodeExactly(BytesOf(record), notes), DecodeOutcome::kDone);
  EXPECT_EQ(notes.opens[0].local.path, std::string(108, 'p'));
}

TEST(DecodeTest, Shutdown) {
  for (const auto& [direction, receive, send] : {std::tuple{SONDE_RECEIVE, true, false},
                                                 {SONDE_SEND, false, true},
                                                 {SONDE_BOTH, true, true}}) {
    auto record = MakeRecord<sonde_shutdown_record>(SONDE_RECORD_SHUTDOWN);
    record.direction = static_cast<uint8_t>(direction);
    record.position = 9;
    record.has_position = 1;
    Notes notes;
    ASSERT_EQ(DecodeExactly(BytesOf(record), notes), DecodeOutcome::kDone);
    EXPECT_EQ(notes.shutdowns[0].receive, receive);
    EXPECT_EQ(notes.shutdowns[0].send, send);
    EXPECT_EQ(notes.shutdowns[0].position, 9U);
  }
}

TEST(DecodeTest, Processes) {
  for (const auto& [type, change] : {std::pair{SONDE_RECORD_FORK, ProcessChange::kFork},
                                     {SONDE_RECORD_EXEC, ProcessChange::kExec},
                                     {SONDE_RECORD_EXIT, ProcessChange::kExit},
                                     {SONDE_RECORD_LISTEN, ProcessChange::kListen}}) {
    Notes notes;
    ASSERT_EQ(DecodeExactly(BytesOf(ProcessRecord(type, "/bin/x")), notes), DecodeOutcome::kDone);
    const ProcessEvent& event = notes.processes[0];
    EXPECT_EQ(event.change, change);
    EXPECT_EQ(event.tgid, 20U);
    EXPECT_EQ(event.parent_tgid, 10U);
    EXPECT_EQ(event.start_ns, 123U);
    EXPECT_EQ(event.cgroup_id, 456U);
    EXPECT_TRUE(event.traced);
    EXPECT_EQ(event.listen_port, type == SONDE_RECORD_LISTEN ? 8080 : 0);
    EXPECT_TRUE(notes.lines[0].ends_with(" worker|/bin/x"));
  }
}

// Names of which no byte is a NUL.
TEST(DecodeTest, FullNames) {
  auto record = ProcessRecord(SONDE_RECORD_EXEC, std::string(SONDE_PROGRAM_BYTES, 'p'));
  std::memset(record.comm, 'c', sizeof(record.comm));
  Notes notes;
  ASSERT_EQ(DecodeExactly(BytesOf(record), notes), DecodeOutcome::kDone);
  EXPECT_TRUE(notes.lines[0].ends_with(std::string(16, 'c') + "|" + std::string(256, 'p')));
}

TEST(DecodeTest, TruncatedAtEveryByte) {
  for (const std::string& record : EveryRecord()) {
    for (size_t size = 0; size < record.size(); ++size) {
      Notes notes;
      EXPECT_EQ(DecodeExactly(record.substr(0, size), notes), DecodeOutcome::kInvalid) << size;
      // The header says so, too: a shorter record that is whole by its own account.
      if (size < sizeof(sonde_record_header)) continue;
      std::string shorter = record.substr(0, size);
      const auto claimed = static_cast<uint32_t>(size);
      std::memcpy(shorter.data() + offsetof(sonde_record_header, size), &claimed, sizeof(claimed));
      const DecodeOutcome outcome = DecodeExactly(shorter, notes);
      EXPECT_EQ(notes.lines.size(), outcome == DecodeOutcome::kDone ? 1U : 0U);
      // Only the padding behind a payload may be missing.
      EXPECT_TRUE(outcome == DecodeOutcome::kInvalid || size + 8 > record.size()) << size;
    }
  }
}

TEST(DecodeTest, LongerThanItsType) {
  for (std::string record : EveryRecord()) {
    record.append(64, 'x');
    const auto size = static_cast<uint32_t>(record.size());
    std::memcpy(record.data() + offsetof(sonde_record_header, size), &size, sizeof(size));
    Notes notes;
    EXPECT_EQ(DecodeExactly(record, notes),
              DecodeOutcome::kDone);  // fields that a later minor version added
  }
}

TEST(DecodeTest, HostileLengths) {
  const auto outcome = [](auto change) {
    std::string bytes = DataRecord("12345678", "", 8);
    sonde_data_record record;
    std::memcpy(&record, bytes.data(), sizeof(record));
    change(record);
    std::memcpy(bytes.data(), &record, sizeof(record));
    Notes notes;
    return DecodeExactly(bytes, notes);
  };
  EXPECT_EQ(outcome([](auto&) {}), DecodeOutcome::kDone);
  EXPECT_EQ(outcome([](auto& r) { r.captured = 9; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.captured = UINT32_MAX; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.tail = 1; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.captured = r.length = UINT32_MAX; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) {
              r.captured = r.length = UINT32_MAX;
              r.tail = UINT16_MAX;
            }),
            DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) {
              r.captured = 4;
              r.tail = 5;
              r.length = 100;
            }),
            DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) {
              r.length = 0;
              r.captured = 0;
            }),
            DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.direction = SONDE_BOTH; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.source = 200; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.header.size = UINT32_MAX; }), DecodeOutcome::kInvalid);
  EXPECT_EQ(outcome([](auto& r) { r.header.size = 0; }), DecodeOutcome::kInvalid);
}

TEST(DecodeTest, ImpossibleValues) {
  Notes notes;
  auto open = OpenRecord();
  open.transport = 2;
  EXPECT_EQ(DecodeExactly(BytesOf(open), notes), DecodeOutcome::kInvalid);
  open = OpenRecord();
  open.family = 5;
  EXPECT_EQ(DecodeExactly(BytesOf(open), notes), DecodeOutcome::kInvalid);
  auto shutdown = MakeRecord<sonde_shutdown_record>(SONDE_RECORD_SHUTDOWN);
  shutdown.direction = 3;
  EXPECT_EQ(DecodeExactly(BytesOf(shutdown), notes), DecodeOutcome::kInvalid);
  auto process = ProcessRecord(SONDE_RECORD_EXEC);
  process.program_bytes = SONDE_PROGRAM_BYTES + 1;
  EXPECT_EQ(DecodeExactly(BytesOf(process), notes), DecodeOutcome::kInvalid);
  EXPECT_TRUE(notes.lines.empty());
}

TEST(DecodeTest, UnknownTypesAreSkipped) {
  Notes notes;
  for (const uint16_t type :
       {uint16_t{0}, uint16_t{9}, uint16_t{SONDE_RECORD_RESOURCE}, uint16_t{65535}}) {
    EXPECT_EQ(DecodeExactly(BytesOf(MakeRecord<sonde_data_record>(type)), notes),
              DecodeOutcome::kUnknown);
  }
  EXPECT_TRUE(notes.lines.empty());
}

}  // namespace
}  // namespace sonde::kernel_unit
