// SPDX-License-Identifier: Apache-2.0
#include "agent/signals.h"

#include <absl/status/status.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>

#include "sonde/base/result.h"

namespace sonde::agent {

Result<std::unique_ptr<Signals>> Signals::Block() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE}) sigaddset(&wanted, number);
  sigset_t previous;
  if (sigprocmask(SIG_BLOCK, &wanted, &previous) != 0)
    return absl::ErrnoToStatus(errno, "sigprocmask");
  const int fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "signalfd");
  return std::unique_ptr<Signals>(new Signals(fd, previous));
}

Signals::~Signals() { close(fd_); }

std::optional<ReceivedSignal> Signals::Next() const {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof(info)) != sizeof(info)) return std::nullopt;
  return ReceivedSignal{.number = static_cast<int>(info.ssi_signo),
                        .from_terminal = info.ssi_code == SI_KERNEL};
}

}  // namespace sonde::agent
