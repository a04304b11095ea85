// SPDX-License-Identifier: Apache-2.0
#include "agent/notify.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace sonde::agent {
namespace {

// A number in the environment, if there is one.
std::optional<int64_t> NumberFrom(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  int64_t number = 0;
  if (text == nullptr || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

}  // namespace

void NotifyServiceManager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::strlen(path);
  if (length >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract name
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nobody listening is no failure of ours.
  static_cast<void>(sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&address), size));
  close(fd);
}

void NotifyReloading() {
  // sd_notify(3) asks for the time, so that an older answer is not taken for this one's.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  NotifyServiceManager(
      absl::StrCat("RELOADING=1\nMONOTONIC_USEC=",
                   std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

Watchdog Watchdog::FromEnvironment() {
  const auto allowed = NumberFrom("WATCHDOG_USEC");
  const auto pid = NumberFrom("WATCHDOG_PID");
  if (!allowed || *allowed <= 0 || (pid && *pid != getpid())) return Watchdog(std::nullopt);
  return Watchdog(std::chrono::microseconds(*allowed / 2));
}

void Watchdog::Tick(TimePoint now) {
  if (!interval_ || now < next_) return;
  next_ = now + *interval_;
  NotifyServiceManager("WATCHDOG=1");
}

}  // namespace sonde::agent
