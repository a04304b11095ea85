// SPDX-License-Identifier: Apache-2.0
// The COMMAND of `sonde run -- COMMAND`: forked early, held before exec until the probes are
// attached, so that its first request is seen; afterwards only watched. Main thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::agent {

class Command {
 public:
  // Forks a child that waits. Call before any thread exists. The child takes the signal mask that
  // was in force at `Signals::Block`'s caller, which is given here.
  static Result<std::unique_ptr<Command>> Prepare(const std::vector<std::string>& argv,
                                                  const sigset_t& child_mask);
  // A child that was never started is ended; a started one is left alone.
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  pid_t pid() const { return pid_; }
  const std::vector<std::string>& argv() const { return argv_; }  // as given to execvp(3)
  // Lets the child exec. Fails with kNotFound or kPermissionDenied as exec(3) did; shell exit codes
  // 127 and 126.
  Status Start();
  bool failed_to_start() const { return failed_to_start_; }
  // Passes a signal on to the command.
  void Signal(int signal) const;
  // Collects the command if it has ended: its exit code, or 128 + n if signal n ended it.
  std::optional<int> Reap();

 private:
  Command(std::vector<std::string> argv, pid_t pid, int go_fd, int error_fd)
      : argv_(std::move(argv)), pid_(pid), go_fd_(go_fd), error_fd_(error_fd) {}

  std::vector<std::string> argv_;
  pid_t pid_;
  int go_fd_;     // write end: one byte releases the child
  int error_fd_;  // read end: errno of a failed exec, or end of file
  bool started_ = false;
  bool failed_to_start_ = false;
  bool reaped_ = false;
};

}  // namespace sonde::agent
