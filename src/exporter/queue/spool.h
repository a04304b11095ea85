// SPDX-License-Identifier: Apache-2.0
// The queue of one exporter on disk, in spans: encodes and decodes, counts, and says in the log
// when the disk does not do its part. Nothing here decides what happens to a batch.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporter/batch.h"
#include "exporter/otlp/protobuf_encoder.h"
#include "exporter/queue/disk_queue.h"
#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {

class Spool {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Item {
    StoredBatch batch;
    TimePoint expires;  // then it has waited for max_age
  };

  // `directory` is of this exporter alone; `label` its value in the metrics, which outlive it.
  static Result<std::unique_ptr<Spool>> Open(const std::string& directory,
                                             const QueueOptions& options, const std::string& label,
                                             MetricRegistry& metrics);

  // What an earlier process left, oldest first.
  std::vector<Item> TakeFound();

  // One thread. Nothing: the disk did not take it, which is counted and in the log.
  std::optional<Item> Put(const Batch& batch);
  // One other thread. Null: it cannot be read any more, counted and in the log.
  Batch Get(const Item& item);
  void Done(const Item& item);

  const std::string& directory() const { return directory_; }

 private:
  Spool(std::string directory, const QueueOptions& options, const std::string& label,
        MetricRegistry& metrics);
  void Failed(Counter& counter, const Status& status);

  const std::string directory_;
  const std::string label_;
  const std::chrono::nanoseconds max_age_;
  // Batches are dated by the clock as it stood at the start: a step of it changes no age.
  const WallClock clock_;
  std::unique_ptr<DiskQueue> queue_;
  DiskQueue::Found found_;
  ProtobufEncoder encoder_;
  std::atomic<bool> healthy_{true};  // logs only the changes
  Gauge& bytes_;
  Counter& stored_;
  Counter& recovered_;
  Counter& write_errors_;
  Counter& read_errors_;
  Counter& torn_;
};

}  // namespace sonde::exporter
