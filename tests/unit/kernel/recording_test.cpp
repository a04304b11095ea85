// SPDX-License-Identifier: Apache-2.0
// What the writer writes the reader reads; what anything else wrote it survives.
#include "sonde/abi/recording.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "kernel/decode.h"
#include "kernel/recording_reader.h"
#include "kernel/recording_writer.h"
#include "sonde/abi/record.h"
#include "sonde/abi/version.h"
#include "unit/kernel/record_samples.h"

namespace sonde::kernel_unit {
namespace {

using kernel::RecordingReader;
using kernel::RecordingWriter;

struct HeaderOnly {
  sonde_record_header header;
};

class RecordingTest : public testing::Test {
 protected:
  ~RecordingTest() override { std::filesystem::remove(path_); }

  std::string Written(const std::vector<std::string>& records) {
    {
      auto writer = RecordingWriter::Create(path_, -5);
      EXPECT_TRUE(writer.ok()) << writer.status();
      for (const std::string& record : records) (*writer)->Write(record);
    }
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string path_ =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".rec";
};

TEST_F(RecordingTest, RoundTrip) {
  Written(EveryRecord());
  const auto reader = RecordingReader::Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->wall_minus_mono_ns(), -5);
  EXPECT_EQ(reader->torn_bytes(), 0U);
  Notes notes;
  EXPECT_EQ(reader->Replay(notes), 0U);
  Notes direct;
  for (const std::string& record : EveryRecord()) {
    EXPECT_EQ(kernel::Decode(record, direct), kernel::DecodeOutcome::kDone);
  }
  EXPECT_EQ(notes.lines, direct.lines);
}

TEST_F(RecordingTest, Resources) {
  const std::string json = R"({"service.name":"shop"})";
  {
    auto writer = RecordingWriter::Create(path_, 0);
    ASSERT_TRUE(writer.ok());
    (*writer)->Write(DataRecord("one"));
    (*writer)->WriteResource(10, json);
    (*writer)->WriteResource(11, "");
    (*writer)->Write(DataRecord("two"));
  }
  const auto reader = RecordingReader::Open(path_);
  ASSERT_TRUE(reader.ok());
  std::vector<std::pair<uint32_t, std::string>> resources;
  reader->ReadResources(
      [&](uint32_t tgid, std::string_view text) { resources.emplace_back(tgid, text); });
  EXPECT_EQ(resources, (std::vector<std::pair<uint32_t, std::string>>{{10, json}, {11, ""}}));
  Notes notes;
  EXPECT_EQ(reader->Replay(notes), 0U);  // resources are no records of the kernel
  EXPECT_EQ(notes.data.size(), 2U);
}

TEST_F(RecordingTest, TruncatedAtEveryByte) {
  const std::vector<std::string> records = EveryRecord();
  const std::string whole = Written(records);
  for (size_t size = 0; size <= whole.size(); ++size) {
    const auto reader = RecordingReader::FromBytes(whole.substr(0, size));
    ASSERT_EQ(reader.ok(), size >= sizeof(sonde_recording_header)) << size;
    if (!reader.ok()) continue;
    size_t complete = 0;
    size_t end = sizeof(sonde_recording_header);
    while (complete < records.size() && end + records[complete].size() <= size)
      end += records[complete++].size();
    Notes notes;
    EXPECT_EQ(reader->Replay(notes), 0U);
    EXPECT_EQ(notes.lines.size(), complete);
    EXPECT_EQ(reader->torn_bytes(), size - end);
  }
}

TEST_F(RecordingTest, ForeignFiles) {
  std::string bytes = Written({DataRecord("x")});
  EXPECT_TRUE(RecordingReader::IsRecording(bytes));
  EXPECT_FALSE(RecordingReader::IsRecording(""));
  EXPECT_FALSE(RecordingReader::FromBytes("").ok());
  EXPECT_FALSE(RecordingReader::FromBytes(std::string(1000, 'x')).ok());
  EXPECT_EQ(RecordingReader::Open("/nonexistent").status().code(), absl::StatusCode::kNotFound);
  sonde_recording_header header = {};
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.abi_major = SONDE_ABI_MAJOR + 1;
  std::string other = bytes;
  std::memcpy(other.data(), &header, sizeof(header));
  EXPECT_EQ(RecordingReader::FromBytes(other).status().code(), absl::StatusCode::kInvalidArgument);
  // A newer minor number adds only what can be skipped.
  header.abi_major = SONDE_ABI_MAJOR;
  header.abi_minor = SONDE_ABI_MINOR + 1;
  std::memcpy(other.data(), &header, sizeof(header));
  EXPECT_TRUE(RecordingReader::FromBytes(other).ok());
}

// A record that lies about its size ends what can be read; those before it count.
TEST_F(RecordingTest, HostileSizes) {
  for (const uint32_t size :
       {0U, 1U, 15U, 17U + SONDE_MAX_RECORD_BYTES, 0x7fffffffU, 0xffffffffU}) {
    std::string liar = DataRecord("liar");
    std::memcpy(liar.data() + offsetof(sonde_record_header, size), &size, sizeof(size));
    const auto reader =
        RecordingReader::FromBytes(Written({DataRecord("good"), liar, DataRecord("behind")}));
    ASSERT_TRUE(reader.ok());
    Notes notes;
    reader->Replay(notes);
    EXPECT_EQ(notes.lines.size(), 1U) << size;
    EXPECT_EQ(reader->torn_bytes(), liar.size() + DataRecord("behind").size());
  }
}

TEST_F(RecordingTest, InvalidRecordsAreCountedAndSkipped) {
  const auto reader = RecordingReader::FromBytes(
      Written({BytesOf(MakeRecord<HeaderOnly>(SONDE_RECORD_DATA)), DataRecord("good"),
               BytesOf(MakeRecord<HeaderOnly>(SONDE_RECORD_OPEN))}));
  ASSERT_TRUE(reader.ok());
  Notes notes;
  EXPECT_EQ(reader->Replay(notes), 2U);
  EXPECT_EQ(notes.lines.size(), 1U);
}

TEST_F(RecordingTest, HostileResources) {
  auto record = MakeRecord<sonde_resource_record>(SONDE_RECORD_RESOURCE);
  record.json_bytes = 1;  // behind its end
  const auto reader = RecordingReader::FromBytes(Written({BytesOf(record), DataRecord("x")}));
  ASSERT_TRUE(reader.ok());
  reader->ReadResources([](uint32_t, std::string_view) { ADD_FAILURE(); });
}

// Ticks follow the records' clock, through silences as well, and never go back.
TEST_F(RecordingTest, Ticks) {
  constexpr uint64_t kSecond = 1'000'000'000;
  const auto reader = RecordingReader::FromBytes(
      Written({DataRecord("a", "", 0, kSecond), DataRecord("b", "", 0, kSecond + 1000),
               DataRecord("c", "", 0, 3 * kSecond), DataRecord("late", "", 0, 2 * kSecond)}));
  ASSERT_TRUE(reader.ok());
  Notes notes;
  reader->Replay(notes);
  ASSERT_GE(notes.ticks.size(), 20U);
  EXPECT_TRUE(std::ranges::is_sorted(notes.ticks));
  EXPECT_EQ(notes.ticks.back(), 3 * kSecond);
  for (size_t i = 1; i < notes.ticks.size(); ++i)
    EXPECT_LE(notes.ticks[i] - notes.ticks[i - 1], kSecond / 10);
}

// A file that claims centuries of silence costs a bounded number of ticks.
TEST_F(RecordingTest, ClaimedCenturies) {
  const auto reader = RecordingReader::FromBytes(Written(
      {DataRecord("a", "", 0, 1), DataRecord("b", "", 0, UINT64_MAX), DataRecord("c", "", 0, 5)}));
  ASSERT_TRUE(reader.ok());
  Notes notes;
  reader->Replay(notes);
  EXPECT_EQ(notes.data.size(), 3U);
  EXPECT_LT(notes.ticks.size(), 40'000U);
  EXPECT_EQ(notes.ticks.back(), UINT64_MAX);
}

TEST_F(RecordingTest, DirectoryThatIsNotThere) {
  const auto writer = RecordingWriter::Create("/nonexistent/x.rec", 0);
  EXPECT_FALSE(writer.ok());
}

// The disk is full: the recording ends at a record, once, and tracing goes on.
TEST_F(RecordingTest, NoRoom) {
  const auto writer = RecordingWriter::Create("/dev/full", 0);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (int i = 0; i < 1000; ++i) (*writer)->Write(DataRecord(std::string(1000, 'x')));
  (*writer)->WriteResource(1, "{}");
}

}  // namespace
}  // namespace sonde::kernel_unit
