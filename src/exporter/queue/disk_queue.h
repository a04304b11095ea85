// SPDX-License-Identifier: Apache-2.0
// The batches of one exporter on disk: a directory of segments, bounded in size, whose batches
// survive the end of the process, by kill -9 too. Knows bytes, no spans; no network, no retry.
//
// One thread appends while another reads and finishes. A batch is handed to the kernel, not
// synced: what a power failure takes is a torn tail.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/queue/segment.h"
#include "sonde/base/result.h"

namespace sonde::exporter {

struct StoredBatch {
  uint64_t segment = 0;
  SegmentRecord record;
};

class DiskQueue {
 public:
  // What was there before, oldest first, and what of it could not be read.
  struct Found {
    std::vector<StoredBatch> batches;
    uint64_t torn_bytes = 0;
  };

  // Creates `directory` if it is missing. `max_bytes` bounds the files; a batch counts as 4 KiB at
  // least, which bounds their number.
  static Result<std::unique_ptr<DiskQueue>> Open(const std::string& directory, uint64_t max_bytes,
                                                 Found& found);

  // kResourceExhausted if it is full; otherwise what the file system said.
  Result<StoredBatch> Append(std::string_view body, uint32_t spans, uint64_t wall_ns);
  Result<std::string> Read(const StoredBatch& batch);
  // Never comes back, unless an error says that the mark could not be written: then after a
  // restart.
  Status Finish(const StoredBatch& batch);

  // Of the files, those batches included that are done and whose file is not gone yet.
  uint64_t bytes() const;

 private:
  struct File {
    Segment segment;
    uint64_t waiting = 0;  // batches that are not done
  };

  DiskQueue(std::string directory, uint64_t max_bytes);
  Status Recover(Found& found);
  std::string PathOf(uint64_t number) const;
  Result<File*> FileForAppend(uint64_t record_bytes);
  void RemoveIfDone(std::map<uint64_t, File>::iterator file);

  const std::string directory_;
  const uint64_t max_bytes_;
  const uint64_t segment_bytes_;

  mutable std::mutex mutex_;        // of what follows, and not held during reads and writes
  std::map<uint64_t, File> files_;  // a file stays while a batch of it waits, and the last one
  uint64_t current_ = 0;            // is written to; 0: none yet
  uint64_t next_ = 1;
  uint64_t bytes_ = 0;
  uint64_t waiting_ = 0;
};

}  // namespace sonde::exporter
