// SPDX-License-Identifier: Apache-2.0
#include "exporter/file/line_file.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/fd_writer.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"

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

int OpenForAppend(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

}  // namespace

Result<std::unique_ptr<LineFile>> LineFile::Open(const Options& options) {
  const std::string& path = options.path;
  if (path.empty()) return absl::InvalidArgumentError("--export file=PATH: the path is missing");
  if (path == "-") return std::make_unique<LineFile>(STDOUT_FILENO, options);
  const int fd = OpenForAppend(path);
  if (fd < 0) {
    return absl::InvalidArgumentError("--export file=" + path +
                                      ": cannot open it for writing: " + std::strerror(errno));
  }
  return std::make_unique<LineFile>(fd, options);
}

LineFile::~LineFile() {
  if (owned()) close(writer_.fd());
}

bool LineFile::IsMoved() const {
  struct stat there{};
  struct stat ours{};
  if (fstat(writer_.fd(), &ours) != 0) return false;
  if (stat(options_.path.c_str(), &there) != 0) return errno == ENOENT;
  return there.st_ino != ours.st_ino || there.st_dev != ours.st_dev;
}

void LineFile::Reopen() {
  const int fd = OpenForAppend(options_.path);
  const bool failed = fd < 0;
  if (failed && !reopen_failed_) {
    spdlog::warn("exporter file: {}: cannot open it again: {}; going on with the file as it was",
                 options_.path, std::strerror(errno));
  }
  reopen_failed_ = failed;
  if (failed) return;
  close(writer_.fd());
  writer_.Switch(fd);
  in_progress_ = false;  // no half line before this one
}

void LineFile::RotateFor(size_t bytes) {
  struct stat status{};
  if (options_.max_bytes == 0 || fstat(writer_.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return;
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size == 0 || size + bytes <= options_.max_bytes) return;
  const auto numbered = [&](size_t n) {
    return n == 0 ? options_.path : options_.path + "." + std::to_string(n);
  };
  // The last one is overwritten; those that are not there yet are no error.
  for (size_t n = options_.max_files; n > 0; --n) {
    static_cast<void>(std::rename(numbered(n - 1).c_str(), numbered(n).c_str()));
  }
  Reopen();
}

void LineFile::Begin(std::string_view line) {
  if (owned() && IsMoved()) Reopen();
  if (owned()) RotateFor(line.size() + 1);
  std::string next;
  if (in_progress_ && written_ > 0) next += '\n';
  next += line;
  next += '\n';
  line_ = std::move(next);
  written_ = 0;
  in_progress_ = true;
}

ExportOutcome LineFile::Write(std::chrono::steady_clock::time_point deadline) {
  const auto progress = writer_.Write(std::string_view(line_).substr(written_), deadline);
  written_ += progress.written;
  in_progress_ = progress.outcome != FdWriter::Outcome::kDone;
  return Outcome(progress);
}

}  // namespace sonde::exporter
