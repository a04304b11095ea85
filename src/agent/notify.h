// SPDX-License-Identifier: Apache-2.0
// What systemd is told: readiness, reloads, and signs of life. The datagram protocol of
// sd_notify(3), which is a stable interface of one line.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sonde::agent {

// Sends `state` ("READY=1", "STOPPING=1") to NOTIFY_SOCKET; does nothing when the service manager
// did not ask.
void NotifyServiceManager(std::string_view state);

// Reads again what SIGHUP asks for; until the next READY=1 the unit counts as reloading.
void NotifyReloading();

// Tells the service manager that the main loop turns, for as long as it does: a loop that hangs for
// WatchdogSec= of the unit ends sonde and lets it be started anew. One thread.
class Watchdog {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // From WATCHDOG_USEC and WATCHDOG_PID; silent where they do not ask for it, or ask another
  // process.
  static Watchdog FromEnvironment();

  // The time between two signs of life: half of what the unit allows. Nothing: not asked for.
  std::optional<std::chrono::microseconds> interval() const { return interval_; }

  // To be called in each turn of the loop; sends WATCHDOG=1 once per interval.
  void Tick(TimePoint now);

 private:
  explicit Watchdog(std::optional<std::chrono::microseconds> interval) : interval_(interval) {}

  std::optional<std::chrono::microseconds> interval_;
  TimePoint next_;
};

}  // namespace sonde::agent
