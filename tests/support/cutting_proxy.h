// SPDX-License-Identifier: Apache-2.0
// A TCP proxy on loopback that breaks connections as networks do: it lets so many bytes of an
// answer through and then resets both ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>

namespace sonde::support {

class CuttingProxy {
 public:
  // Bytes that connection `number` (from 1) may carry in both directions together; 0: no bound.
  using Script = std::function<size_t(int number)>;

  CuttingProxy(int target_port, Script script)
      : target_port_(target_port), script_(std::move(script)) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(fd_, 16);
    socklen_t length = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy() {
    stop_ = true;
    thread_.join();
    close(fd_);
  }

  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  // One connection at a time, which is all that an exporter makes.
  void Serve() {
    while (!stop_) {
      pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      const int client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(target_port_);
      const int number = ++connections_;
      if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        Carry(client, server, script_(number));
      }
      const linger reset{1, 0};
      for (const int fd : {client, server}) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
      }
    }
  }

  void Carry(int client, int server, size_t budget) const {
    size_t carried = 0;
    char buffer[4096];
    while (!stop_ && (budget == 0 || carried < budget)) {
      pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (poll(both, 2, 20) <= 0) continue;
      const bool upwards = both[0].revents != 0;
      const ssize_t n = read(upwards ? client : server, buffer, sizeof(buffer));
      if (n <= 0) return;
      size_t bytes = static_cast<size_t>(n);
      if (budget != 0 && bytes > budget - carried) bytes = budget - carried;
      if (send(upwards ? server : client, buffer, bytes, MSG_NOSIGNAL) < 0) return;
      carried += bytes;
    }
  }

  const int target_port_;
  const Script script_;
  int fd_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace sonde::support
