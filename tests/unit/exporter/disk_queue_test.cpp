// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue/disk_queue.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "exporter/queue/queue_directory.h"
#include "unit/exporter/temporary_directory.h"

namespace sonde::exporter {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1U << 20;

struct Opened {
  std::unique_ptr<DiskQueue> queue;
  DiskQueue::Found found;
};

Opened Open(const std::string& directory, uint64_t max_bytes = kMiB) {
  Opened opened;
  auto queue = DiskQueue::Open(directory, max_bytes, opened.found);
  EXPECT_TRUE(queue.ok()) << queue.status();
  if (queue.ok()) opened.queue = *std::move(queue);
  return opened;
}

std::string Body(int number) { return "batch " + std::to_string(number) + std::string(50, '.'); }

std::vector<fs::path> Files(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  return files;
}

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Write(const fs::path& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

TEST(DiskQueueTest, KeepsWhatIsNotDoneAcrossARestartInOrder) {
  const TemporaryDirectory directory;
  {
    auto [queue, found] = Open(directory.path());
    EXPECT_TRUE(found.batches.empty());
    std::vector<StoredBatch> batches;
    for (int i = 0; i < 10; ++i) batches.push_back(*queue->Append(Body(i), 7, 1000U + i));
    for (int i : {0, 1, 4}) EXPECT_TRUE(queue->Finish(batches[i]).ok());
  }
  auto [queue, found] = Open(directory.path());
  ASSERT_EQ(found.batches.size(), 7U);
  EXPECT_EQ(found.torn_bytes, 0U);
  size_t at = 0;
  for (int i : {2, 3, 5, 6, 7, 8, 9}) {
    EXPECT_EQ(*queue->Read(found.batches[at]), Body(i));
    EXPECT_EQ(found.batches[at].record.spans, 7U);
    EXPECT_EQ(found.batches[at++].record.wall_ns, 1000U + i);
  }
  for (const StoredBatch& batch : found.batches) EXPECT_TRUE(queue->Finish(batch).ok());
  EXPECT_EQ(queue->bytes(), 0U);
  EXPECT_TRUE(Files(directory.path()).empty());
}

TEST(DiskQueueTest, TornAtEveryByteItKeepsEveryWholeBatch) {
  const TemporaryDirectory directory;
  std::vector<uint64_t> ends;
  {
    auto [queue, found] = Open(directory.path());
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(queue->Append(Body(i), 1, 0).ok());
      ends.push_back(queue->bytes());
    }
  }
  const fs::path file = Files(directory.path()).at(0);
  const std::string whole = Contents(file);
  ASSERT_EQ(whole.size(), ends.back());
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    fs::remove_all(directory.path());
    fs::create_directory(directory.path());
    Write(file, whole.substr(0, cut));
    auto [queue, found] = Open(directory.path());
    size_t expected = 0;
    while (expected < ends.size() && ends[expected] <= cut) ++expected;
    ASSERT_EQ(found.batches.size(), expected) << cut;
    ASSERT_EQ(found.torn_bytes, cut - (expected == 0 ? 0 : ends[expected - 1])) << cut;
    for (size_t i = 0; i < expected; ++i) {
      ASSERT_EQ(*queue->Read(found.batches[i]), Body(static_cast<int>(i)));
    }
    ASSERT_EQ(*queue->Read(*queue->Append("new", 1, 0)), "new") << "it goes on behind a torn tail";
  }
}

TEST(DiskQueueTest, AChangedByteIsNeverTakenForABatch) {
  const TemporaryDirectory directory;
  {
    auto [queue, found] = Open(directory.path());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue->Append(Body(i), 1, 0).ok());
  }
  const fs::path file = Files(directory.path()).at(0);
  const std::string whole = Contents(file);
  const size_t record = whole.size() / 3;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    fs::remove_all(directory.path());
    fs::create_directory(directory.path());
    Write(file, changed);
    auto [queue, found] = Open(directory.path());
    size_t good = 0;
    for (const StoredBatch& batch : found.batches) {
      const auto body = queue->Read(batch);
      if (!body.ok()) continue;
      ASSERT_EQ(*body, Body(static_cast<int>(batch.record.offset / record))) << at;
      ++good;
    }
    // A changed body or mark costs one batch at most, a changed header what is behind it.
    const bool in_header = at % record < Segment::kHeaderBytes - 4;
    ASSERT_GE(good, in_header ? at / record : 2U) << at;
  }
}

TEST(DiskQueueTest, HostileLengthsAndForeignFilesAreNoBatches) {
  const TemporaryDirectory directory;
  Write(directory.path() + "/0000000000000003.batches", std::string(100, '\xff'));
  Write(directory.path() + "/0000000000000004.batches", "");
  Write(directory.path() + "/README", "not ours");
  Write(directory.path() + "/zz.batches", "not ours");
  auto [queue, found] = Open(directory.path());
  EXPECT_TRUE(found.batches.empty());
  EXPECT_EQ(found.torn_bytes, 100U);
  ASSERT_TRUE(queue->Append("x", 1, 0).ok());
  EXPECT_TRUE(fs::exists(directory.path() + "/README"));
  EXPECT_TRUE(fs::exists(directory.path() + "/0000000000000005.batches"));
}

TEST(DiskQueueTest, IsBoundedInBytesAndInNumber) {
  const TemporaryDirectory directory;
  auto [queue, found] = Open(directory.path());
  const std::string body(50'000, 'x');
  std::vector<StoredBatch> batches;
  while (true) {
    const auto batch = queue->Append(body, 1, 0);
    if (!batch.ok()) {
      EXPECT_EQ(batch.status().code(), absl::StatusCode::kResourceExhausted);
      break;
    }
    batches.push_back(*batch);
  }
  EXPECT_GE(batches.size(), 19U);
  uint64_t on_disk = 0;
  for (const auto& file : Files(directory.path())) on_disk += fs::file_size(file);
  EXPECT_LE(on_disk, kMiB);
  EXPECT_EQ(on_disk, queue->bytes());
  for (const StoredBatch& batch : batches) EXPECT_TRUE(queue->Finish(batch).ok());
  EXPECT_TRUE(queue->Append(body, 1, 0).ok()) << "there is room again";

  const TemporaryDirectory other;
  auto small = Open(other.path());
  size_t count = 0;
  while (small.queue->Append("x", 1, 0).ok()) ++count;
  EXPECT_EQ(count, kMiB / 4096);
}

TEST(DiskQueueTest, WithAReceiverThatTakesAllItStaysSmall) {
  const TemporaryDirectory directory;
  auto [queue, found] = Open(directory.path());
  const std::string body(10'000, 'x');
  for (int i = 0; i < 2000; ++i) {
    const auto batch = queue->Append(body, 1, 0);
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_TRUE(queue->Finish(*batch).ok());
    ASSERT_LE(queue->bytes(), 80'000U);
  }
  EXPECT_LE(Files(directory.path()).size(), 2U);
}

TEST(QueueDirectoryTest, OneProcessAtATime) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/queue/of/sonde";
  {
    const auto first = QueueDirectory::Lock(path);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ((*first)->PathFor("otlp/2"), path + "/otlp-2");
    const auto second = QueueDirectory::Lock(path);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(second.status().message().find("in use by another sonde (pid "), std::string::npos)
        << second.status();
  }
  EXPECT_TRUE(QueueDirectory::Lock(path).ok());
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
}

TEST(QueueDirectoryTest, RefusesWhatIsNoDirectory) {
  const auto refused = QueueDirectory::Lock("/proc/version/queue");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sonde::exporter
