// SPDX-License-Identifier: Apache-2.0
#include "connection/stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "connection/segment.h"
#include "sonde/pipeline/protocol.h"

namespace sonde::connection {
namespace {

// What an extent costs beside its bytes: charged to the account, so that one-byte records cannot
// blow up the memory.
constexpr size_t kExtentBytes = 64;
// A peer that sends byte by byte: beyond so many extents, neighbours up to so many bytes share one,
// and the mark of its last byte. Else a head of 64 KiB would cost 4 MiB.
constexpr size_t kManyExtents = 64;
constexpr size_t kSharedExtentBytes = 256;
// An emptied buffer larger than this is given back to the allocator.
constexpr size_t kKeptCapacity = 4096;

}  // namespace

uint64_t Stream::Unwrap(uint64_t raw) const {
  if (wide_) return (raw & kMaxCount) + kBias;
  if (!begun_) return (raw & UINT32_MAX) + kBias;
  const auto distance =
      static_cast<int32_t>(static_cast<uint32_t>(raw) - static_cast<uint32_t>(end_));
  return end_ + static_cast<uint64_t>(static_cast<int64_t>(distance));
}

uint64_t Stream::RawPosition(uint64_t offset) const {
  return wide_ ? offset - kBias : offset & UINT32_MAX;
}

void Stream::Begin(uint64_t offset, bool known) {
  begun_ = true;
  begin_known_ = known;
  front_ = end_ = offset;
}

void Stream::Offer(const Segment& segment) {
  end_ = segment.end();
  if (stored()) {
    Store(segment);
    return;
  }
  live_ = segment;
  live_valid_ = true;
  if (skip_ > 0) {
    const uint64_t n = std::min(skip_, live_.length);
    skip_ -= n;
    Skip(n);
  }
  // A tail that follows its prefix at once: the parser must see both as one run.
  if (live_valid_ && !live_.prefix.empty() && !live_.tail.empty() && live_.hole() == 0) Keep();
}

void Stream::Keep() {
  if (!live_valid_) return;
  live_valid_ = false;
  if (live_.length > 0) Store(live_);
}

std::string_view Stream::bytes() const {
  if (!live_valid_) return std::string_view(data_).substr(data_pos_, run_);
  if (!live_.prefix.empty()) return live_.prefix;
  return live_.hole() == 0 ? live_.tail : std::string_view();
}

uint64_t Stream::hole() const {
  if (live_valid_) return live_.hole();
  if (!stored()) return 0;
  // Behind the run stands a hole extent, or nothing.
  size_t i = head_;
  if (run_ > 0) {
    const auto behind = std::lower_bound(
        extents_.begin() + static_cast<std::ptrdiff_t>(head_), extents_.end(), front_ + run_,
        [](const Extent& extent, uint64_t offset) { return extent.begin < offset; });
    i = static_cast<size_t>(behind - extents_.begin());
  }
  if (i >= extents_.size() || !extents_[i].hole) return 0;
  return extents_[i].end() - std::max(front_, extents_[i].begin);
}

bool Stream::lost() const {
  if (live_valid_) return live_.lost;
  return run_ == 0 && stored() && extents_[head_].partly_lost;
}

bool Stream::at_record_start() const {
  if (live_valid_) return live_.record_start;
  return stored() && extents_[head_].record_start && extents_[head_].begin == front_;
}

uint64_t Stream::record_left() const {
  if (live_valid_) return live_.length;
  size_t i = head_;
  while (i < extents_.size() && (i == head_ || !extents_[i].record_start)) ++i;
  return i == head_ ? 0 : extents_[i - 1].end() - front_;
}

const Mark& Stream::MarkAt(uint64_t ahead) const {
  if (live_valid_) return live_.mark;
  if (!stored()) return last_mark_;
  const auto behind = std::upper_bound(
      extents_.begin() + static_cast<std::ptrdiff_t>(head_), extents_.end(), front_ + ahead,
      [](uint64_t offset, const Extent& extent) { return offset < extent.begin; });
  const auto index = static_cast<size_t>(behind - extents_.begin());
  return extents_[index > head_ ? index - 1 : head_].mark;
}

void Stream::Skip(uint64_t n) {
  const uint64_t here = std::min(n, end_ - front_);
  skip_ += n - here;
  if (here == 0) return;
  if (!live_valid_) {
    SkipStored(here);
    return;
  }
  if (!live_.lost) last_mark_ = live_.mark;
  live_.TrimFront(here);
  front_ += here;
  if (live_.length == 0) live_valid_ = false;
}

void Stream::SkipStored(uint64_t n) {
  while (n > 0) {
    const Extent& extent = extents_[head_];
    const uint64_t step = std::min(n, extent.end() - front_);
    front_ += step;
    n -= step;
    if (!extent.lost) last_mark_ = extent.mark;
    if (!extent.hole) {
      data_pos_ += step;
      run_ -= step;
      account_.Give(step);
    }
    if (front_ < extent.end()) continue;
    const bool was_hole = extent.hole;
    if (!was_hole) account_.Give(kExtentBytes);
    ++head_;
    if (was_hole) FindRun();
  }
  Compact();
}

void Stream::FindRun() {
  run_ = 0;
  for (size_t i = head_; i < extents_.size() && !extents_[i].hole; ++i) run_ += extents_[i].length;
}

void Stream::Compact() {
  if (head_ == extents_.size()) {
    extents_.clear();
    data_.clear();
    head_ = data_pos_ = 0;
    if (data_.capacity() > kKeptCapacity) data_.shrink_to_fit();
    if (extents_.capacity() * sizeof(Extent) > kKeptCapacity) extents_.shrink_to_fit();
    return;
  }
  if (head_ > 64 && head_ * 2 > extents_.size()) {
    extents_.erase(extents_.begin(), extents_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  if (data_pos_ > kKeptCapacity && data_pos_ * 2 > data_.size()) {
    data_.erase(0, data_pos_);
    data_pos_ = 0;
  }
}

void Stream::Store(const Segment& segment) {
  StoreBytes(segment.prefix, segment.offset, segment);
  if (segment.hole() > 0)
    StoreHole(segment.offset + segment.prefix.size(), segment.hole(), segment);
  StoreBytes(segment.tail, segment.end() - segment.tail.size(), segment);
}

void Stream::StoreBytes(std::string_view bytes, uint64_t begin, const Segment& segment) {
  if (bytes.empty() || Extend(bytes, begin, segment)) return;
  if (!account_.Take(bytes.size() + kExtentBytes)) {
    StoreHole(begin, bytes.size(), segment);
    return;
  }
  const bool behind_hole = stored() && front_ + run_ != begin;
  data_.append(bytes);
  extents_.push_back({.begin = begin,
                      .length = bytes.size(),
                      .mark = segment.mark,
                      .hole = false,
                      .lost = false,
                      .partly_lost = false,
                      .record_start = segment.record_start && begin == segment.offset});
  if (!behind_hole) run_ += bytes.size();
}

bool Stream::Extend(std::string_view bytes, uint64_t begin, const Segment& segment) {
  if (extents_.size() - head_ < kManyExtents) return false;
  Extent& last = extents_.back();
  if (last.hole || last.length + bytes.size() > kSharedExtentBytes ||
      last.mark.who != segment.mark.who || last.mark.source != segment.mark.source ||
      !account_.Take(bytes.size())) {
    return false;
  }
  const bool behind_hole = front_ + run_ != begin;
  data_.append(bytes);
  last.length += bytes.size();
  last.mark = segment.mark;
  if (!behind_hole) run_ += bytes.size();
  return true;
}

void Stream::StoreHole(uint64_t begin, uint64_t length, const Segment& segment) {
  // Holes are not charged: neighbours are merged, so there is at most one more of them than there
  // are charged extents.
  if (stored() && extents_.back().hole) {
    extents_.back().length += length;
    extents_.back().partly_lost |= segment.lost;
    if (!segment.lost) {
      extents_.back().mark = segment.mark;
      extents_.back().lost = false;
    }
    return;
  }
  extents_.push_back({.begin = begin,
                      .length = length,
                      .mark = segment.mark,
                      .hole = true,
                      .lost = segment.lost,
                      .partly_lost = segment.lost,
                      .record_start = segment.record_start && begin == segment.offset});
}

}  // namespace sonde::connection
