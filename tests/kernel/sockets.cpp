// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "kernel/file_descriptor.h"

namespace sonde::kernel_test {
namespace {

using kernel::FileDescriptor;

struct Address {
  sockaddr_storage bytes = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

Address Loopback4(uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.bytes);
  in->sin_family = AF_INET;
  in->sin_port = port;
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.size = sizeof(*in);
  return address;
}

Address Loopback6(uint16_t port, const char* text) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in6*>(&address.bytes);
  in->sin6_family = AF_INET6;
  in->sin6_port = port;
  inet_pton(AF_INET6, text, &in->sin6_addr);
  address.size = sizeof(*in);
  return address;
}

Address UnixAddress(std::string_view path) {
  Address address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.bytes);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());
  // an abstract name has its exact length, a path its NUL
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                        (path[0] == '\0' ? 0 : 1));
  return address;
}

// A case that goes wrong fails instead of hanging.
void Bound(const Pair& pair) {
  const timeval limit = {.tv_sec = 10, .tv_usec = 0};
  for (const int fd : {pair.near.get(), pair.far.get()}) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }
}

Pair ConnectTo(const Address& bind_to, int connect_family,
               const std::function<Address(const FileDescriptor&)>& target) {
  const FileDescriptor listener(socket(bind_to.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Pair pair;
  pair.near = FileDescriptor(socket(connect_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(listener.get(), bind_to.get(), bind_to.size), 0) << std::strerror(errno);
  EXPECT_EQ(listen(listener.get(), 1), 0);
  const Address to = target(listener);
  EXPECT_EQ(connect(pair.near.get(), to.get(), to.size), 0) << std::strerror(errno);
  pair.far = FileDescriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(pair.far.valid());
  const int yes = 1;
  // Each call's bytes leave at once, so that cases need not wait for acknowledgements.
  for (const int fd : {pair.near.get(), pair.far.get()}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  }
  Bound(pair);
  return pair;
}

}  // namespace

const char* Name(Kind kind) {
  switch (kind) {
    case Kind::kTcp4:
      return "tcp4";
    case Kind::kTcp6:
      return "tcp6";
    case Kind::kMapped:
      return "mapped";
    case Kind::kUnixPair:
      return "unix_pair";
    case Kind::kUnixBound:
      return "unix_bound";
    case Kind::kUnixAbstract:
      return "unix_abstract";
  }
  return "?";
}

uint16_t LocalPort(int fd) {
  sockaddr_in6 address = {};
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin6_port);  // stands where sin_port does
}

Pair Connect(Kind kind) {
  const auto port = [](const FileDescriptor& fd) { return htons(LocalPort(fd.get())); };
  switch (kind) {
    case Kind::kTcp4:
      return ConnectTo(Loopback4(0), AF_INET,
                       [&](const FileDescriptor& l) { return Loopback4(port(l)); });
    case Kind::kTcp6:
      return ConnectTo(Loopback6(0, "::1"), AF_INET6,
                       [&](const FileDescriptor& l) { return Loopback6(port(l), "::1"); });
    case Kind::kMapped:
      // Both ends are IPv6 sockets and the packets are IPv4.
      return ConnectTo(Loopback6(0, "::"), AF_INET6, [&](const FileDescriptor& l) {
        return Loopback6(port(l), "::ffff:127.0.0.1");
      });
    case Kind::kUnixPair: {
      int fds[2] = {-1, -1};
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
      Pair pair;
      pair.near = FileDescriptor(fds[0]);
      pair.far = FileDescriptor(fds[1]);
      Bound(pair);
      return pair;
    }
    case Kind::kUnixBound:
    case Kind::kUnixAbstract: {
      const bool bound = kind == Kind::kUnixBound;
      const std::string text = "/tmp/sonde-kernel-test-" + std::to_string(getpid());
      std::string name = text;
      if (!bound) name[0] = '\0';
      unlink(text.c_str());
      const Address address = UnixAddress(name);
      Pair pair = ConnectTo(address, AF_UNIX, [&](const FileDescriptor&) { return address; });
      unlink(text.c_str());
      pair.path = bound ? text : "@" + text.substr(1);
      return pair;
    }
  }
  return {};
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string ReceiveExactly(int fd, size_t size) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = recv(fd, bytes.data() + done, size - done, 0);
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

std::string Request(const std::string& name, size_t size) {
  const auto head = [&](size_t body) {
    return "POST /" + name + " HTTP/1.1\r\nHost: lab\r\nContent-Length: " + std::to_string(body) +
           "\r\n\r\n";
  };
  size_t body = 0;
  while (head(body).size() + body < size) ++body;
  std::string request = head(body);
  // Never the same line twice, so that bytes at a wrong place are not taken for right ones.
  for (uint64_t line = 0; request.size() < head(body).size() + body; ++line) {
    request += name + "#" + std::to_string(line * 2654435761U) + "\n";
  }
  request.resize(head(body).size() + body);
  return request;
}

}  // namespace sonde::kernel_test
