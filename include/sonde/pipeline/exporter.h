// SPDX-License-Identifier: Apache-2.0
// The exporter contracts, after OpenTelemetry's SpanExporter and push metric exporter.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde {

struct ExportOutcome {
  // kDone: the receiver has it (rejected > 0: partial success). kRetry: transient, the same batch
  // may be sent again after retry_after (0 = the caller's own back-off). kFailed: permanent, drop
  // and count.
  enum class Code : uint8_t { kDone, kRetry, kFailed };
  Code code = Code::kDone;
  size_t rejected = 0;
  std::chrono::milliseconds retry_after{0};
  std::string message;
};

// Called by one export thread at a time, never by the drain thread. Must return by `deadline`.
class SpanExporter {
 public:
  virtual ~SpanExporter() = default;
  virtual const char* name() const = 0;  // label value: "otlp", "file", "console"
  virtual ExportOutcome Export(std::span<const Span> batch,
                               std::chrono::steady_clock::time_point deadline) = 0;
  // Makes what was accepted durable or visible (file flush, last console tree).
  virtual void Flush() {}
  // Called about every 100 ms between batches, for exporters that show things over time.
  virtual void Tick() {}
  // Any thread: a running Export returns soon (kRetry if it was not done), and so does every later
  // one. For a shutdown whose deadline has come.
  virtual void Cancel() {}
};

// Part of a collection, as large as one request may be.
struct MetricBatch {
  uint64_t number = 0;   // a batch that is sent again has the same
  uint64_t wall_ns = 0;  // the time of its points
  std::vector<ResourceMetrics> resources;
  size_t points = 0;
};

// Called by one export thread at a time. Must return by `deadline`.
class MetricExporter {
 public:
  virtual ~MetricExporter() = default;
  virtual const char* name() const = 0;
  // `rejected` of the outcome counts points.
  virtual ExportOutcome Export(const MetricBatch& batch,
                               std::chrono::steady_clock::time_point deadline) = 0;
  // As SpanExporter's.
  virtual void Cancel() {}
};

}  // namespace sonde
