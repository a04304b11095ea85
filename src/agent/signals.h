// SPDX-License-Identifier: Apache-2.0
// Signals as data: blocked everywhere and read from a signalfd by the main loop, so that nothing
// runs in a handler.
#pragma once

#include <csignal>
#include <memory>
#include <optional>

#include "sonde/base/result.h"

namespace sonde::agent {

struct ReceivedSignal {
  int number = 0;
  bool from_terminal = false;  // the whole foreground process group got it, a command of ours too
};

class Signals {
 public:
  // Blocks SIGINT, SIGTERM, SIGHUP, SIGCHLD and SIGPIPE in the calling thread: call before any
  // other thread exists.
  static Result<std::unique_ptr<Signals>> Block();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Mask from before Block(), for a child.
  const sigset_t& previous_mask() const { return previous_; }
  int fd() const { return fd_; }
  // Next pending signal, if any; never waits.
  std::optional<ReceivedSignal> Next() const;

 private:
  Signals(int fd, const sigset_t& previous) : fd_(fd), previous_(previous) {}

  int fd_;
  sigset_t previous_;
};

}  // namespace sonde::agent
