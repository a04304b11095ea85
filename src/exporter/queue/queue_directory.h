// SPDX-License-Identifier: Apache-2.0
// `--queue-dir`: one directory, one sonde. Holds a lock that ends with the process, however it
// ends.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "sonde/base/result.h"

namespace sonde::exporter {

class QueueDirectory {
 public:
  // Creates it, for its owner only, if it is missing. kUnavailable if another process has it,
  // kInvalidArgument if it cannot be used.
  static Result<std::unique_ptr<QueueDirectory>> Lock(const std::string& path);
  QueueDirectory(const QueueDirectory&) = delete;
  QueueDirectory& operator=(const QueueDirectory&) = delete;
  ~QueueDirectory();

  // Of the exporter with this label, "otlp/2": a name without a slash.
  std::string PathFor(const std::string& label) const;

 private:
  QueueDirectory(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;
  const int fd_;
};

}  // namespace sonde::exporter
