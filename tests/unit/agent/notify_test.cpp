// SPDX-License-Identifier: Apache-2.0
// The environment that asks for signs of life, and how often they are given.
#include "agent/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace sonde::agent {
namespace {

using std::chrono::milliseconds;

// What a service manager is: a datagram socket, here with an abstract name.
class Manager {
 public:
  Manager() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const std::string name = "sonde-notify-test-" + std::to_string(getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(&address.sun_path[1], name.data(), name.size());
    const size_t size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    const auto* name_of_socket = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, name_of_socket, static_cast<socklen_t>(size)), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~Manager() {
    close(fd_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::vector<std::string> Received() const {
    std::vector<std::string> all;
    std::string text(256, '\0');
    for (;;) {
      const ssize_t size = recv(fd_, text.data(), text.size(), 0);
      if (size < 0) return all;
      all.push_back(text.substr(0, static_cast<size_t>(size)));
    }
  }

 private:
  int fd_;
};

TEST(Watchdog, HalfOfWhatTheUnitAllows) {
  const Manager manager;
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(Watchdog::FromEnvironment().interval(), std::chrono::seconds(15));
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(Watchdog::FromEnvironment().interval(), std::chrono::seconds(15));
}

TEST(Watchdog, SilentWhenNotAsked) {
  const Manager manager;
  EXPECT_FALSE(Watchdog::FromEnvironment().interval());
  for (const char* wrong : {"", "0", "-5", "soon", "99999999999999999999"}) {
    setenv("WATCHDOG_USEC", wrong, 1);
    EXPECT_FALSE(Watchdog::FromEnvironment().interval()) << wrong;
  }
  setenv("WATCHDOG_USEC", "1000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  Watchdog watchdog = Watchdog::FromEnvironment();
  EXPECT_FALSE(watchdog.interval());
  watchdog.Tick({});
  EXPECT_TRUE(manager.Received().empty());
}

TEST(Watchdog, OneSignPerInterval) {
  const Manager manager;
  setenv("WATCHDOG_USEC", "200000", 1);
  Watchdog watchdog = Watchdog::FromEnvironment();
  const Watchdog::TimePoint begin = std::chrono::steady_clock::now();
  for (int i = 0; i <= 300; ++i) watchdog.Tick(begin + milliseconds(i));
  EXPECT_EQ(manager.Received(), std::vector<std::string>(4, "WATCHDOG=1"));  // 0, 100, 200, 300 ms
}

TEST(NotifyReloading, SaysSince) {
  const Manager manager;
  NotifyReloading();
  const std::vector<std::string> received = manager.Received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].rfind("RELOADING=1\nMONOTONIC_USEC=", 0), 0U) << received[0];
}

}  // namespace
}  // namespace sonde::agent
