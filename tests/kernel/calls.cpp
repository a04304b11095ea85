// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab.h"

namespace sonde::kernel_test {
namespace {

void MustMove(ssize_t moved, size_t size) { Must(moved == static_cast<ssize_t>(size)); }

// Uneven pieces of a buffer; one of them is empty.
std::vector<iovec> Segments(char* bytes, size_t size) {
  std::vector<iovec> segments;
  const std::array<size_t, 4> cuts = {std::min<size_t>(1, size), size / 3, size / 3, size};
  size_t from = 0;
  for (const size_t to : cuts) {
    segments.push_back({bytes + from, to - from});
    from = to;
  }
  return segments;
}

std::vector<iovec> Segments(std::string_view bytes) {
  return Segments(const_cast<char*>(bytes.data()), bytes.size());
}

msghdr Message(std::vector<iovec>& segments) {
  msghdr message = {};
  message.msg_iov = segments.data();
  message.msg_iovlen = segments.size();
  return message;
}

void Write(int fd, std::string_view bytes) {
  MustMove(write(fd, bytes.data(), bytes.size()), bytes.size());
}

void Writev(int fd, std::string_view bytes) {
  const auto segments = Segments(bytes);
  MustMove(writev(fd, segments.data(), static_cast<int>(segments.size())), bytes.size());
}

void Send(int fd, std::string_view bytes) {
  MustMove(send(fd, bytes.data(), bytes.size(), 0), bytes.size());
}

void Sendto(int fd, std::string_view bytes) {
  MustMove(sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0), bytes.size());
}

void Sendmsg(int fd, std::string_view bytes) {
  auto segments = Segments(bytes);
  const msghdr message = Message(segments);
  MustMove(sendmsg(fd, &message, 0), bytes.size());
}

constexpr size_t kVector = 3;  // messages of one sendmmsg or recvmmsg

// `bytes` in kVector messages of several segments each.
template <typename Go>
void Vector(char* bytes, size_t size, Go go) {
  std::array<std::vector<iovec>, kVector> segments;
  std::array<mmsghdr, kVector> messages = {};
  std::array<size_t, kVector> lengths = {size / 5, size / 2, 0};
  lengths[2] = size - lengths[0] - lengths[1];
  size_t from = 0;
  for (size_t i = 0; i < kVector; ++i) {
    segments[i] = Segments(bytes + from, lengths[i]);
    messages[i].msg_hdr = Message(segments[i]);
    from += lengths[i];
  }
  Must(go(messages.data()) == static_cast<int>(kVector));
  for (size_t i = 0; i < kVector; ++i) Must(messages[i].msg_len == lengths[i]);
}

void Sendmmsg(int fd, std::string_view bytes) {
  Vector(const_cast<char*>(bytes.data()), bytes.size(),
         [&](mmsghdr* messages) { return sendmmsg(fd, messages, kVector, 0); });
}

void Sendfile(int fd, std::string_view bytes) {
  const int file = memfd_create("body", MFD_CLOEXEC);
  Write(file, bytes);
  off_t offset = 0;
  MustMove(sendfile(fd, file, &offset, bytes.size()), bytes.size());
  close(file);
}

void SpliceOut(int fd, std::string_view bytes) {
  int ends[2];
  Must(pipe(ends) == 0);
  Write(ends[1], bytes);
  MustMove(splice(ends[0], nullptr, fd, nullptr, bytes.size(), 0), bytes.size());
  close(ends[0]);
  close(ends[1]);
}

void Read(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  MustMove(read(fd, buffer.data(), buffer.size()), bytes.size());
}

void Readv(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  const auto segments = Segments(buffer);
  MustMove(readv(fd, segments.data(), static_cast<int>(segments.size())), bytes.size());
}

void Recv(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  MustMove(recv(fd, buffer.data(), buffer.size(), 0), bytes.size());
}

void Recvfrom(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  MustMove(recvfrom(fd, buffer.data(), buffer.size(), MSG_WAITALL, nullptr, nullptr), bytes.size());
}

void Recvmsg(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  auto segments = Segments(buffer);
  msghdr message = Message(segments);
  MustMove(recvmsg(fd, &message, 0), bytes.size());
}

void Recvmmsg(int fd, std::string_view bytes) {
  std::string buffer(bytes.size(), '\0');
  Vector(buffer.data(), buffer.size(),
         [&](mmsghdr* messages) { return recvmmsg(fd, messages, kVector, MSG_WAITALL, nullptr); });
}

void SpliceIn(int fd, std::string_view bytes) {
  int ends[2];
  Must(pipe(ends) == 0);
  MustMove(splice(fd, nullptr, ends[1], nullptr, bytes.size(), 0), bytes.size());
  close(ends[0]);
  close(ends[1]);
}

constexpr Call kCalls[] = {
    {"write", true, Write},
    {"writev", true, Writev},
    {"send", true, Send},
    {"sendto", true, Sendto},
    {"sendmsg", true, Sendmsg},
    {"sendmmsg", true, Sendmmsg, kVector},
    // A file's bytes: a body by nature, not counted as a loss.
    {"sendfile", true, Sendfile, 1, Sight::kLength, Sight::kLength},
    // Pages, not memory: counted as unseen.
    {"splice_out", true, SpliceOut, 1, Sight::kLength, Sight::kLength},
    {"read", false, Read},
    {"readv", false, Readv},
    {"recv", false, Recv},
    {"recvfrom", false, Recvfrom},
    {"recvmsg", false, Recvmsg},
    {"recvmmsg", false, Recvmmsg, kVector},
    // The kernel's socket tracepoints are not on this road; the end of the system call is.
    {"splice_in", false, SpliceIn, 1, Sight::kHole, Sight::kLength},
};

}  // namespace

std::span<const Call> Calls() { return kCalls; }

}  // namespace sonde::kernel_test
