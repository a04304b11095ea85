// SPDX-License-Identifier: Apache-2.0
#include "agent/command.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::agent {
namespace {

ssize_t ReadRetry(int fd, void* buffer, size_t size) {
  ssize_t got = 0;
  do {
    got = read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

// Runs in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void WaitAndExec(int go_fd, int error_fd, char* const* argv, const sigset_t& mask) {
  char go = 0;
  if (ReadRetry(go_fd, &go, 1) != 1) _exit(0);  // sonde gave up before the start
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(argv[0], argv);
  const int error = errno;
  if (write(error_fd, &error, sizeof(error)) < 0) _exit(126);
  _exit(error == ENOENT ? 127 : 126);
}

}  // namespace

Result<std::unique_ptr<Command>> Command::Prepare(const std::vector<std::string>& argv,
                                                  const sigset_t& child_mask) {
  int go[2];
  int error[2];
  if (pipe2(go, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (pipe2(error, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    close(go[1]);
    WaitAndExec(go[0], error[1], args.data(), child_mask);
  }
  close(go[0]);
  close(error[1]);
  return std::unique_ptr<Command>(new Command(argv, pid, go[1], error[0]));
}

Command::~Command() {
  close(go_fd_);  // a child that still waits reads end of file and ends
  close(error_fd_);
  if (!started_) waitpid(pid_, nullptr, 0);
}

Status Command::Start() {
  started_ = true;
  const char go = 1;
  if (write(go_fd_, &go, 1) != 1) return absl::ErrnoToStatus(errno, "start the command");
  int error = 0;
  if (ReadRetry(error_fd_, &error, sizeof(error)) == sizeof(error)) {
    failed_to_start_ = true;
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", argv_.front()));
  }
  return absl::OkStatus();
}

void Command::Signal(int signal) const {
  if (!reaped_) kill(pid_, signal);
}

std::optional<int> Command::Reap() {
  int status = 0;
  if (reaped_ || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  reaped_ = true;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace sonde::agent
