// SPDX-License-Identifier: Apache-2.0
// OTLP/JSON lines, as the OpenTelemetry Collector's file exporter writes them: one TracesData
// object per line and batch.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "exporter/file/line_file.h"
#include "exporter/otlp/json_encoder.h"
#include "sonde/base/ids.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class FileExporter final : public SpanExporter {
 public:
  static Result<std::unique_ptr<SpanExporter>> Create(const LineFile::Options& options);

  explicit FileExporter(std::unique_ptr<LineFile> file) : file_(std::move(file)) {}

  const char* name() const override { return "file"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { file_->Cancel(); }

 private:
  const std::unique_ptr<LineFile> file_;
  JsonEncoder encoder_;
  SpanId batch_id_;  // first span of the line in progress: tells a retry from the next batch
};

}  // namespace sonde::exporter
