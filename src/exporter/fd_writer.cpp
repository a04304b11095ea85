// SPDX-License-Identifier: Apache-2.0
#include "exporter/fd_writer.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <string_view>

namespace sonde::exporter {
namespace {

// How often a wait looks whether it was cancelled.
constexpr int kPollMs = 50;
// Linux reports a pipe writable when a whole page is free, and a terminal when some room is, so
// that a blocking descriptor takes this much at once.
constexpr size_t kSliceBytes = PIPE_BUF;

bool IsRegular(int fd) {
  struct stat status{};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// Keeps a write to a closed pipe from ending the process, whatever the process does with SIGPIPE:
// blocks the signal in this thread, and takes the one that the write raised before unblocking it.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;
  ~SigpipeGuard() {
    if (sigismember(&before_, SIGPIPE) == 1) return;
    const timespec now{};
    while (sigtimedwait(&pipe_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

}  // namespace

FdWriter::FdWriter(int fd) : fd_(fd), regular_(IsRegular(fd)) {}

void FdWriter::Switch(int fd) {
  fd_ = fd;
  regular_ = IsRegular(fd);
}

bool FdWriter::WaitWritable(std::chrono::steady_clock::time_point deadline) const {
  if (regular_) return true;
  for (bool first = true;; first = false) {
    pollfd poll_fd{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = poll(&poll_fd, 1, first ? 0 : kPollMs);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;  // errors show in write()
    if (cancelled_.load(std::memory_order_relaxed)) return false;
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

FdWriter::Progress FdWriter::Write(std::string_view data,
                                   std::chrono::steady_clock::time_point deadline) {
  const SigpipeGuard guard;
  Progress progress;
  while (progress.written < data.size()) {
    if (!WaitWritable(deadline)) {
      progress.outcome = Outcome::kBlocked;
      return progress;
    }
    const size_t left = data.size() - progress.written;
    const size_t slice = regular_ ? left : std::min(left, kSliceBytes);
    const ssize_t written = write(fd_, data.data() + progress.written, slice);
    if (written >= 0) {
      progress.written += static_cast<size_t>(written);
    } else if (errno == EAGAIN) {
      // Someone made it non-blocking: poll() will wait. Full at once after poll() only if another
      // writer was faster.
    } else if (errno != EINTR) {
      progress.error = errno;
      progress.outcome = errno == EPIPE ? Outcome::kClosed : Outcome::kFailed;
      return progress;
    }
  }
  return progress;
}

}  // namespace sonde::exporter
