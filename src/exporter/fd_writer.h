// SPDX-License-Identifier: Apache-2.0
// Writes to a file, pipe or terminal without ever being stuck in it: a stopped reader costs the
// deadline, not the thread. Does not own the descriptor and leaves its flags alone, since standard
// output is shared with other programs.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace sonde::exporter {

class FdWriter {
 public:
  explicit FdWriter(int fd);

  enum class Outcome { kDone, kBlocked, kClosed, kFailed };

  struct Progress {
    Outcome outcome = Outcome::kDone;
    size_t written = 0;  // also when it is not done
    int error = 0;       // errno of kFailed
  };

  // Until all is written, `deadline` has passed, Cancel() was called or an error came. kClosed: the
  // reader has gone.
  Progress Write(std::string_view data, std::chrono::steady_clock::time_point deadline);

  // Any thread: this and every later Write() gives up where it would wait.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  int fd() const { return fd_; }
  // The thread that writes: goes on with another descriptor.
  void Switch(int fd);

 private:
  bool WaitWritable(std::chrono::steady_clock::time_point deadline) const;

  int fd_;
  bool regular_;  // a regular file never blocks for a reader
  std::atomic<bool> cancelled_{false};
};

}  // namespace sonde::exporter
