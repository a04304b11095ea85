// SPDX-License-Identifier: Apache-2.0
#include "exporter/file/file_exporter.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "exporter/fd_writer.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

ExportOutcome Outcome(const FdWriter::Progress& progress) {
  switch (progress.outcome) {
    case FdWriter::Outcome::kDone:
      return {};
    case FdWriter::Outcome::kClosed:
      return {.code = ExportOutcome::Code::kFailed, .message = "the reader has gone"};
    case FdWriter::Outcome::kBlocked:
      return {.code = ExportOutcome::Code::kRetry, .message = "the reader does not read"};
    case FdWriter::Outcome::kFailed:
      break;
  }
  // No space, quota, I/O error: all can pass.
  return {.code = ExportOutcome::Code::kRetry, .message = std::strerror(progress.error)};
}

}  // namespace

Result<std::unique_ptr<SpanExporter>> FileExporter::Create(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("--export file=PATH: the path is missing");
  if (path == "-") return std::make_unique<FileExporter>(STDOUT_FILENO, false);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::InvalidArgumentError("--export file=" + path +
                                      ": cannot open it for writing: " + std::strerror(errno));
  }
  return std::make_unique<FileExporter>(fd, true);
}

FileExporter::~FileExporter() {
  if (owned_) close(writer_.fd());
}

void FileExporter::Begin(std::span<const Span> batch) {
  // A line that was given up half way is ended, so that it spoils itself only.
  line_.clear();
  if (in_progress_ && written_ > 0) line_ += '\n';
  line_ += encoder_.Encode(batch);
  line_ += '\n';
  written_ = 0;
  batch_id_ = batch.front().span_id;
  in_progress_ = true;
}

ExportOutcome FileExporter::Export(std::span<const Span> batch,
                                   std::chrono::steady_clock::time_point deadline) {
  if (batch.empty()) return {};
  if (!in_progress_ || batch_id_ != batch.front().span_id) Begin(batch);
  const auto progress = writer_.Write(std::string_view(line_).substr(written_), deadline);
  written_ += progress.written;
  in_progress_ = progress.outcome != FdWriter::Outcome::kDone;
  return Outcome(progress);
}

}  // namespace sonde::exporter
