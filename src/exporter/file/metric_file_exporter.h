// SPDX-License-Identifier: Apache-2.0
// Metrics as OTLP/JSON lines: one MetricsData object per line. The file may be that of the spans.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "exporter/file/line_file.h"
#include "exporter/otlp/metric_json_encoder.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class MetricFileExporter final : public MetricExporter {
 public:
  static Result<std::unique_ptr<MetricExporter>> Create(const LineFile::Options& options,
                                                        bool exponential);

  MetricFileExporter(std::unique_ptr<LineFile> file, bool exponential)
      : file_(std::move(file)), exponential_(exponential) {}

  const char* name() const override { return "file"; }
  ExportOutcome Export(const MetricBatch& batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { file_->Cancel(); }

 private:
  const std::unique_ptr<LineFile> file_;
  const bool exponential_;
  MetricJsonEncoder encoder_;
  uint64_t batch_ = 0;  // of the line in progress
};

}  // namespace sonde::exporter
