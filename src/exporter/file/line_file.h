// SPDX-License-Identifier: Apache-2.0
// A file that lines are appended to. A full disk or a stopped reader is retried from the byte where
// it stopped, so that no line breaks.
//
// Before each line it looks whether the path still names the file that it writes, so that logrotate
// and the like need no signal; and it can rotate by itself. One thread, except Cancel().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/fd_writer.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/exporter.h"

namespace sonde::exporter {

class LineFile {
 public:
  struct Options {
    std::string path;        // "-" is standard output
    uint64_t max_bytes = 0;  // of a file, before it becomes PATH.1; 0 = no bound
    size_t max_files = 5;    // PATH.1 to PATH.N
  };

  // The file is created with mode 0600 if it is missing: spans hold what users asked for.
  static Result<std::unique_ptr<LineFile>> Open(const Options& options);

  // `fd` belongs to it unless the path is "-".
  LineFile(int fd, Options options) : options_(std::move(options)), writer_(fd) {}
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  ~LineFile();

  // The next line, without its line break. What is left of the one before is given up: it is ended,
  // so that it spoils itself only.
  void Begin(std::string_view line);
  // Writes what is left of the line.
  ExportOutcome Write(std::chrono::steady_clock::time_point deadline);
  // Some of the line is left.
  bool in_progress() const { return in_progress_; }
  void Cancel() { writer_.Cancel(); }

 private:
  bool owned() const { return options_.path != "-"; }
  // Of the path, or of what Rotate() makes room for; the file in use stays where that fails.
  void Reopen();
  bool IsMoved() const;
  void RotateFor(size_t bytes);

  const Options options_;
  FdWriter writer_;
  std::string line_;
  size_t written_ = 0;  // of line_
  bool in_progress_ = false;
  bool reopen_failed_ = false;  // logs only the changes
};

}  // namespace sonde::exporter
