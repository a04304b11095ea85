// SPDX-License-Identifier: Apache-2.0
#include "exporter/file/file_exporter.h"

#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "exporter/file/line_file.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

Result<std::unique_ptr<SpanExporter>> FileExporter::Create(const LineFile::Options& options) {
  auto file = LineFile::Open(options);
  if (!file.ok()) return file.status();
  return std::make_unique<FileExporter>(*std::move(file));
}

ExportOutcome FileExporter::Export(std::span<const Span> batch,
                                   std::chrono::steady_clock::time_point deadline) {
  if (batch.empty()) return {};
  if (!file_->in_progress() || batch_id_ != batch.front().span_id) {
    file_->Begin(encoder_.Encode(batch));
    batch_id_ = batch.front().span_id;
  }
  return file_->Write(deadline);
}

}  // namespace sonde::exporter
