// SPDX-License-Identifier: Apache-2.0
// Appends OTLP/JSON lines to a file, as the OpenTelemetry Collector's file exporter writes them:
// one TracesData object per line and batch. A full disk or a stopped reader is retried from the
// byte where it stopped, so that no line breaks.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "exporter/fd_writer.h"
#include "exporter/otlp/json_encoder.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class FileExporter final : public SpanExporter {
 public:
  // "-" is standard output. The file is created with mode 0600 if it is missing: spans hold what
  // users asked for.
  static Result<std::unique_ptr<SpanExporter>> Create(const std::string& path);

  // Closes `fd` at the end if `owned`.
  FileExporter(int fd, bool owned) : owned_(owned), writer_(fd) {}
  FileExporter(const FileExporter&) = delete;
  FileExporter& operator=(const FileExporter&) = delete;
  ~FileExporter() override;

  const char* name() const override { return "file"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { writer_.Cancel(); }

 private:
  void Begin(std::span<const Span> batch);

  const bool owned_;
  FdWriter writer_;
  JsonEncoder encoder_;
  std::string line_;    // of the batch in progress
  size_t written_ = 0;  // of line_
  SpanId batch_id_;     // its first span: tells a retry from the next batch
  bool in_progress_ = false;
};

}  // namespace sonde::exporter
