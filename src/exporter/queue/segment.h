// SPDX-License-Identifier: Apache-2.0
// One file of a queue on disk: batches one behind the other, each with a checksum. Written at the
// end only; a batch that is done is marked in place, and the file goes when all in it are done.
//
// A record, little-endian:
//
//   | bytes | field                                                        |
//   |-------|--------------------------------------------------------------|
//   | 4     | magic, "sndQ"                                                |
//   | 4     | length of the body                                           |
//   | 4     | spans in it                                                  |
//   | 4     | CRC-32 of the body                                           |
//   | 8     | when it was written, Unix time in nanoseconds                |
//   | 4     | CRC-32 of the 24 bytes before                                |
//   | 4     | 0, or 1 once it is done                                      |
//   | ...   | the body                                                     |
//
// What was being written when the process or the machine died is a torn tail: the walk ends there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::exporter {

// Where a record is and what its header says.
struct SegmentRecord {
  uint64_t offset = 0;  // of the header
  uint32_t bytes = 0;   // of the body
  uint32_t spans = 0;
  uint32_t checksum = 0;
  uint64_t wall_ns = 0;
};

class Segment {
 public:
  static constexpr uint64_t kHeaderBytes = 32;

  // Creates `path`, or opens what is there. Mode 0600: spans hold what users asked for.
  static Result<Segment> Open(const std::string& path);
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&&) = delete;
  ~Segment();

  // The records that are not done, up to the end or to where it is torn; torn_bytes() then.
  std::vector<SegmentRecord> Walk();
  uint64_t torn_bytes() const { return torn_bytes_; }
  uint64_t size() const { return size_; }

  // At the end. After an error the file is as it was before.
  Result<SegmentRecord> Append(std::string_view body, uint32_t spans, uint64_t wall_ns);
  // kDataLoss if the body is not what was written.
  Result<std::string> Read(const SegmentRecord& record) const;
  Status MarkDone(const SegmentRecord& record) const;

 private:
  Segment(int fd, uint64_t size) : fd_(fd), size_(size) {}

  int fd_;
  uint64_t size_;
  uint64_t torn_bytes_ = 0;
};

}  // namespace sonde::exporter
