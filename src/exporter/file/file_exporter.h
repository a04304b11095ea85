// SPDX-License-Identifier: Apache-2.0
// Appends OTLP/JSON lines to a file, as the OpenTelemetry Collector's file exporter writes them:
// one TracesData object per line and batch. A full disk or a stopped reader is retried from the
// byte where it stopped, so that no line breaks.
//
// Before each line it looks whether the path still names the file that it writes, so that logrotate
// and the like need no signal; and it can rotate by itself.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/fd_writer.h"
#include "exporter/otlp/json_encoder.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class FileExporter final : public SpanExporter {
 public:
  struct Options {
    std::string path;        // "-" is standard output
    uint64_t max_bytes = 0;  // of a file, before it becomes PATH.1; 0 = no bound
    size_t max_files = 5;    // PATH.1 to PATH.N
  };

  // The file is created with mode 0600 if it is missing: spans hold what users asked for.
  static Result<std::unique_ptr<SpanExporter>> Create(const Options& options);

  // `fd` belongs to the exporter unless the path is "-".
  FileExporter(int fd, Options options) : options_(std::move(options)), writer_(fd) {}
  FileExporter(const FileExporter&) = delete;
  FileExporter& operator=(const FileExporter&) = delete;
  ~FileExporter() override;

  const char* name() const override { return "file"; }
  ExportOutcome Export(std::span<const Span> batch,
                       std::chrono::steady_clock::time_point deadline) override;
  void Cancel() override { writer_.Cancel(); }

 private:
  void Begin(std::span<const Span> batch);
  bool owned() const { return options_.path != "-"; }
  // Of the path, or of what Rotate() makes room for; the file in use stays where that fails.
  void Reopen();
  bool IsMoved() const;
  void RotateFor(size_t bytes);

  const Options options_;
  FdWriter writer_;
  JsonEncoder encoder_;
  std::string line_;    // of the batch in progress
  size_t written_ = 0;  // of line_
  SpanId batch_id_;     // its first span: tells a retry from the next batch
  bool in_progress_ = false;
  bool reopen_failed_ = false;  // logs only the changes
};

}  // namespace sonde::exporter
