// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"

namespace sonde::admin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval timeout{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(const std::string& text) const {
    (void)send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Everything until the peer closes.
  std::string ReadAll() const {
    std::string out;
    std::vector<char> buffer(4096);
    ssize_t n = 0;
    while ((n = recv(fd_, buffer.data(), buffer.size(), 0)) > 0) {
      out.append(buffer.data(), static_cast<size_t>(n));
    }
    return out;
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string Get(uint16_t port, const std::string& path) {
  const Client client(port);
  EXPECT_TRUE(client.connected());
  client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return client.ReadAll();
}

class AdminServerTest : public testing::Test {
 protected:
  std::unique_ptr<AdminServer> Start(const std::string& listen = "127.0.0.1:0") {
    auto server = AdminServer::Create({listen, true}, metrics_, [this] { return ready_.load(); });
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : nullptr;
  }

  MetricRegistry metrics_;
  std::atomic<bool> ready_{false};
};

TEST_F(AdminServerTest, HealthAndReadiness) {
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(Get(server->port(), "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get(server->port(), "/readyz"), StartsWith("HTTP/1.1 503 "));
  ready_ = true;
  EXPECT_THAT(Get(server->port(), "/readyz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get(server->port(), "/"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(AdminServerTest, MetricsOfRegistryAndProcess) {
  metrics_.AddCounter("sonde_events_total", "Events.", {{"type", "data"}}).Add(41);
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  const std::string text = Get(server->port(), "/metrics");
  EXPECT_THAT(text, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(text, HasSubstr("\nsonde_events_total{type=\"data\"} 41\n"));
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_start_time_seconds", "process_threads"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + name + " ")) << name;
  }
}

TEST_F(AdminServerTest, OffIsNoServer) {
  const auto server = AdminServer::Create({"off", true}, metrics_, [] { return true; });
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(*server, nullptr);
}

TEST_F(AdminServerTest, BusyDefaultIsAWarningBusyChoiceAnError) {
  const auto first = Start();
  ASSERT_NE(first, nullptr);
  const std::string listen = "127.0.0.1:" + std::to_string(first->port());
  std::string warning;
  const auto by_default =
      AdminServer::Create({listen, false}, metrics_, [] { return true; }, &warning);
  ASSERT_TRUE(by_default.ok());
  EXPECT_EQ(*by_default, nullptr);
  EXPECT_EQ(warning, "admin endpoint " + listen +
                         ": Address already in use; going on without it (--listen HOST:PORT|off)");
  const auto chosen = AdminServer::Create({listen, true}, metrics_, [] { return true; });
  EXPECT_EQ(chosen.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(chosen.status().message(),
            "admin endpoint " + listen + ": Address already in use; choose another with --listen");
}

TEST_F(AdminServerTest, ImpossibleAddresses) {
  for (const char* listen : {"", "x", ":80", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:8x"}) {
    const auto server = AdminServer::Create({listen, true}, metrics_, [] { return true; });
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << listen;
  }
  EXPECT_FALSE(AdminServer::Create({"192.0.2.1:0", true}, metrics_, [] { return true; }).ok());
}

TEST_F(AdminServerTest, TheAddressIsFreeAfterTheEnd) {
  auto server = Start();
  ASSERT_NE(server, nullptr);
  const uint16_t port = server->port();
  Get(port, "/healthz");
  server.reset();
  EXPECT_FALSE(Client(port).connected());
  EXPECT_NE(Start("127.0.0.1:" + std::to_string(port)), nullptr);
}

// A peer that connects and says nothing, or sends a head without end, holds the endpoint for its
// timeout and no longer.
TEST_F(AdminServerTest, StalledAndEndlessPeersDoNotBlockIt) {
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  const Client silent(server->port());
  silent.Send("GET /healthz HT");
  Client endless(server->port());
  endless.Send("GET / HTTP/1.1\r\nX: " + std::string(1U << 20, 'x'));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Get(server->port(), "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9));
}

TEST_F(AdminServerTest, ThreadsAreBounded) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  for (int i = 0; i < 20; ++i) Get(server->port(), "/metrics");
  EXPECT_LE(threads() - before, 2);
}

}  // namespace
}  // namespace sonde::admin
