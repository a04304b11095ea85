// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue/disk_queue.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "exporter/queue/segment.h"
#include "sonde/base/result.h"

namespace sonde::exporter {
namespace {

// Files that are small beside the bound, so that room comes back soon, and few.
constexpr uint64_t kSegmentsPerQueue = 16;
constexpr uint64_t kSmallestSegment = 64U << 10;
constexpr uint64_t kLargestSegment = 16U << 20;
constexpr uint64_t kLeastPerBatch = 4096;
constexpr std::string_view kSuffix = ".batches";

// The number in the name of a segment, 0 for other files.
uint64_t NumberOf(const std::string& name) {
  if (!name.ends_with(kSuffix)) return 0;
  const char* const end = name.data() + name.size() - kSuffix.size();
  uint64_t number = 0;
  const auto [at, error] = std::from_chars(name.data(), end, number, 16);
  return error == std::errc() && at == end ? number : 0;
}

}  // namespace

DiskQueue::DiskQueue(std::string directory, uint64_t max_bytes)
    : directory_(std::move(directory)),
      max_bytes_(max_bytes),
      segment_bytes_(std::clamp(max_bytes / kSegmentsPerQueue, kSmallestSegment, kLargestSegment)) {
}

Result<std::unique_ptr<DiskQueue>> DiskQueue::Open(const std::string& directory, uint64_t max_bytes,
                                                   Found& found) {
  auto queue = absl::WrapUnique(new DiskQueue(directory, max_bytes));
  if (const Status status = queue->Recover(found); !status.ok()) return status;
  return queue;
}

Status DiskQueue::Recover(Found& found) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(directory_, error);
  if (!error) fs::permissions(directory_, fs::perms::owner_all, error);
  std::vector<uint64_t> numbers;
  for (auto entry = fs::directory_iterator(directory_, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const uint64_t number = NumberOf(entry->path().filename().string());
    if (number != 0) numbers.push_back(number);
  }
  if (error) return absl::ErrnoToStatus(error.value(), directory_);
  std::ranges::sort(numbers);
  for (const uint64_t number : numbers) {
    auto segment = Segment::Open(PathOf(number));
    if (!segment.ok()) return segment.status();
    const auto records = segment->Walk();
    found.torn_bytes += segment->torn_bytes();
    bytes_ += segment->size();
    waiting_ += records.size();
    next_ = number + 1;
    for (const SegmentRecord& record : records) found.batches.push_back({number, record});
    const auto file = files_.emplace(number, File{*std::move(segment), records.size()}).first;
    RemoveIfDone(file);
  }
  return absl::OkStatus();
}

std::string DiskQueue::PathOf(uint64_t number) const {
  constexpr int kDigits = 16;
  std::array<char, kDigits + 1> name{};
  std::snprintf(name.data(), name.size(), "%016llx", static_cast<unsigned long long>(number));
  return directory_ + "/" + name.data() + std::string(kSuffix);
}

// With mutex_ held.
void DiskQueue::RemoveIfDone(std::map<uint64_t, File>::iterator file) {
  if (file->second.waiting > 0 || file->first == current_) return;
  // Should it stay, its batches are marked as done.
  unlink(PathOf(file->first).c_str());
  bytes_ -= file->second.segment.size();
  files_.erase(file);
}

// The last file, or a new one if that would grow too long. With mutex_ held.
Result<DiskQueue::File*> DiskQueue::FileForAppend(uint64_t record_bytes) {
  auto current = files_.find(current_);
  const bool fits =
      current != files_.end() && (current->second.segment.size() == 0 ||
                                  current->second.segment.size() + record_bytes <= segment_bytes_);
  if (fits) return &current->second;
  current_ = 0;
  if (current != files_.end()) RemoveIfDone(current);
  if (bytes_ + record_bytes > max_bytes_) return absl::ResourceExhaustedError("it is full");
  auto segment = Segment::Open(PathOf(next_));
  if (!segment.ok()) return segment.status();
  current_ = next_++;
  return &files_.emplace(current_, File{*std::move(segment), 0}).first->second;
}

Result<StoredBatch> DiskQueue::Append(std::string_view body, uint32_t spans, uint64_t wall_ns) {
  const uint64_t record_bytes = Segment::kHeaderBytes + body.size();
  File* file = nullptr;
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    auto chosen = FileForAppend(record_bytes);
    if (!chosen.ok()) return chosen.status();
    if (bytes_ + record_bytes > max_bytes_ || (waiting_ + 1) * kLeastPerBatch > max_bytes_) {
      return absl::ResourceExhaustedError("it is full");
    }
    file = *chosen;
    number = current_;
    bytes_ += record_bytes;
    ++waiting_;
    ++file->waiting;
  }
  // Only this thread changes current_, so that the file stays where it is.
  const auto record = file->segment.Append(body, spans, wall_ns);
  if (record.ok()) return StoredBatch{number, *record};
  const std::lock_guard lock(mutex_);
  bytes_ -= record_bytes;
  --waiting_;
  --file->waiting;
  return record.status();
}

Result<std::string> DiskQueue::Read(const StoredBatch& batch) {
  const Segment* segment = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto file = files_.find(batch.segment);
    if (file == files_.end()) return absl::NotFoundError("its file is gone");
    segment = &file->second.segment;
  }
  return segment->Read(batch.record);  // the file stays, because this batch waits
}

Status DiskQueue::Finish(const StoredBatch& batch) {
  const std::lock_guard lock(mutex_);
  const auto file = files_.find(batch.segment);
  if (file == files_.end()) return absl::OkStatus();
  const Status status = file->second.segment.MarkDone(batch.record);
  --waiting_;
  --file->second.waiting;
  RemoveIfDone(file);
  return status;
}

uint64_t DiskQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace sonde::exporter
