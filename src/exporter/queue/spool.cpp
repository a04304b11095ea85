// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue/spool.h"

#include <absl/memory/memory.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporter/batch.h"
#include "exporter/otlp/protobuf_decoder.h"
#include "exporter/queue/disk_queue.h"
#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::exporter {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

Counter& Errors(const std::string& label, const char* operation, MetricRegistry& metrics) {
  return metrics.AddCounter("sonde_export_queue_errors_total",
                            "What the queue on disk could not do, by operation.",
                            {{"operation", operation}, {"exporter", label}});
}

}  // namespace

Spool::Spool(std::string directory, const QueueOptions& options, const std::string& label,
             MetricRegistry& metrics)
    : directory_(std::move(directory)),
      label_(label),
      max_age_(options.max_age),
      bytes_(metrics.AddGauge("sonde_export_queue_bytes", "Bytes of the queue on disk.",
                              {{"exporter", label}})),
      stored_(metrics.AddCounter("sonde_export_queue_stored_spans_total",
                                 "Spans that were written to the queue on disk.",
                                 {{"exporter", label}})),
      recovered_(metrics.AddCounter("sonde_export_queue_recovered_spans_total",
                                    "Spans that an earlier process left in the queue on disk.",
                                    {{"exporter", label}})),
      write_errors_(Errors(label, "write", metrics)),
      read_errors_(Errors(label, "read", metrics)),
      torn_(metrics.AddCounter("sonde_export_queue_torn_bytes_total",
                               "Bytes at the end of files of the queue that are no whole batch.",
                               {{"exporter", label}})) {}

Result<std::unique_ptr<Spool>> Spool::Open(const std::string& directory,
                                           const QueueOptions& options, const std::string& label,
                                           MetricRegistry& metrics) {
  auto spool = absl::WrapUnique(new Spool(directory, options, label, metrics));
  auto queue = DiskQueue::Open(directory, options.max_bytes, spool->found_);
  if (!queue.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--queue-dir: cannot be used: ", queue.status().message()));
  }
  spool->queue_ = *std::move(queue);
  spool->bytes_.Set(static_cast<int64_t>(spool->queue_->bytes()));
  spool->torn_.Add(spool->found_.torn_bytes);
  return spool;
}

std::vector<Spool::Item> Spool::TakeFound() {
  const uint64_t now_wall_ns = clock_.ToWall(MonotonicNow());
  const auto now = steady_clock::now();
  std::vector<Item> items;
  uint64_t spans = 0;
  for (const StoredBatch& batch : std::exchange(found_.batches, {})) {
    // A date in the future, after the clock was set back: as if written now.
    const uint64_t wall_ns = std::min(batch.record.wall_ns, now_wall_ns);
    const nanoseconds age(
        std::min<uint64_t>(now_wall_ns - wall_ns, static_cast<uint64_t>(max_age_.count())));
    items.push_back({batch, now + (max_age_ - age)});
    spans += batch.record.spans;
  }
  recovered_.Add(spans);
  if (spans > 0) spdlog::info("exporter {}: {} spans found in {}", label_, spans, directory_);
  if (found_.torn_bytes > 0) {
    spdlog::warn(
        "exporter {}: {} bytes in {} are no whole batch: what was being written when the "
        "process before was killed",
        label_, found_.torn_bytes, directory_);
  }
  return items;
}

std::optional<Spool::Item> Spool::Put(const Batch& batch) {
  const auto now = steady_clock::now();
  const auto stored = queue_->Append(encoder_.Encode(*batch), static_cast<uint32_t>(batch->size()),
                                     clock_.ToWall(MonotonicNow()));
  if (!stored.ok()) {
    Failed(write_errors_, stored.status());
    return std::nullopt;
  }
  bytes_.Set(static_cast<int64_t>(queue_->bytes()));
  stored_.Add(batch->size());
  if (!healthy_.exchange(true)) {
    spdlog::info("exporter {}: the queue in {} takes batches again", label_, directory_);
  }
  return Item{*stored, now + max_age_};
}

Batch Spool::Get(const Item& item) {
  auto bytes = queue_->Read(item.batch);
  if (bytes.ok()) {
    if (Batch batch = DecodeProtobuf(*bytes); batch != nullptr && !batch->empty()) return batch;
    bytes = absl::DataLossError("not a batch");
  }
  read_errors_.Add();
  spdlog::warn("exporter {}: a batch of {} spans in {} cannot be read ({}) and is dropped", label_,
               item.batch.record.spans, directory_, std::string(bytes.status().message()));
  return nullptr;
}

void Spool::Done(const Item& item) {
  const Status status = queue_->Finish(item.batch);
  bytes_.Set(static_cast<int64_t>(queue_->bytes()));
  if (!status.ok()) Failed(write_errors_, status);
}

void Spool::Failed(Counter& counter, const Status& status) {
  counter.Add();
  if (!healthy_.exchange(false)) return;
  spdlog::warn("exporter {}: the queue in {}: {}; batches wait in memory until there is room",
               label_, directory_, std::string(status.message()));
}

}  // namespace sonde::exporter
