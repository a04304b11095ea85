// SPDX-License-Identifier: Apache-2.0
#include "exporter/file/metric_file_exporter.h"

#include <chrono>
#include <memory>
#include <utility>

#include "exporter/file/line_file.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

Result<std::unique_ptr<MetricExporter>> MetricFileExporter::Create(const LineFile::Options& options,
                                                                   bool exponential) {
  auto file = LineFile::Open(options);
  if (!file.ok()) return file.status();
  return std::make_unique<MetricFileExporter>(*std::move(file), exponential);
}

ExportOutcome MetricFileExporter::Export(const MetricBatch& batch,
                                         std::chrono::steady_clock::time_point deadline) {
  if (!file_->in_progress() || batch_ != batch.number) {
    file_->Begin(encoder_.Encode(batch, exponential_));
    batch_ = batch.number;
  }
  return file_->Write(deadline);
}

}  // namespace sonde::exporter
