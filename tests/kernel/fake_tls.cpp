// SPDX-License-Identifier: Apache-2.0
#include "fake_tls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/file_descriptor.h"
#include "kernel/uprobes.h"
#include "lab.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/prober.h"
#include "sonde/probe/tls.h"

extern "C" {
void sonde_fake_receive(void* object, const char* text, size_t length);
void sonde_fake_send(void* object, const char* text, size_t length);
int sonde_fake_write(void* object, const char* text, size_t length, size_t* written);
// Called by sonde_fake_write.
int sonde_fake_write_body(void* object, const char* text, size_t length, size_t* written);
}

asm(R"(
.text
.globl sonde_fake_receive
.type sonde_fake_receive, @function
sonde_fake_receive:
  push %rbp
  pop %rbp
  ret
.globl sonde_fake_send
.type sonde_fake_send, @function
sonde_fake_send:
  push %rbp
  pop %rbp
  ret
.globl sonde_fake_write
.type sonde_fake_write, @function
sonde_fake_write:
  push %rbp
  call sonde_fake_write_body
  pop %rbp
  ret
)");

int sonde_fake_write_body(void* object, const char* /*text*/, size_t length, size_t* written) {
  auto* tls = static_cast<sonde::kernel_test::FakeTls*>(object);
  if (tls->accepts == 0) return 0;
  *written = tls->accepts < length ? tls->accepts : length;
  return 1;
}

namespace sonde::kernel_test {
namespace {

sonde_place Register(sonde_register number) {
  return {.from = static_cast<__u8>(number), .memory = 0, .narrow = 0, .reserved = 0, .offset = 0};
}

// Where in this program's file the instruction at `address` is.
uint64_t FileOffset(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto wanted = reinterpret_cast<uint64_t>(address);
  for (std::string line; std::getline(maps, line);) {
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t offset = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel's own format
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx", &start, &end, &offset) != 3) continue;
    if (wanted >= start && wanted < end) return wanted - start + offset;
  }
  ADD_FAILURE() << "not mapped";
  return 0;
}

probe::TlsPoint Point(const void* function, const sonde_tls_probe& spec, bool follows_return) {
  probe::TlsPoint point{.file_offset = FileOffset(function),
                        .follows_return = follows_return,
                        .spec = spec,
                        .methods = {},
                        .where = "fake"};
  if (spec.owned == SONDE_SOUGHT) {
    const uint64_t method = FileOffset(reinterpret_cast<const void*>(&sonde_fake_write_body));
    point.methods.push_back(static_cast<int64_t>(method - point.file_offset));
  }
  return point;
}

}  // namespace

const void* const* FakeMethods() {
  // Drop, size, alignment, the first method. Written when it is first asked for: see tls_test.cpp.
  static const void* methods[] = {nullptr, nullptr, nullptr, nullptr};
  methods[3] = reinterpret_cast<const void*>(&sonde_fake_write_body);
  return methods;
}

void FakeText(FakeTls& tls, std::string_view text, Direction direction) {
  (direction == Direction::kReceive ? sonde_fake_receive : sonde_fake_send)(&tls, text.data(),
                                                                            text.size());
}

int FakeWrite(FakeTls& tls, std::string_view text, size_t& written) {
  return sonde_fake_write(&tls, text.data(), text.size(), &written);
}

std::string ClientHello(std::string_view random) {
  std::string body("\x01\x00\x00\x2b\x03\x03", 6);
  body.append(random.substr(0, 32)).append(std::string_view("\0\0\x02\x13\x01\x01\0", 7));
  std::string record("\x16\x03\x01\x00", 4);
  record.push_back(static_cast<char>(body.size()));
  return record + body;
}

ConnectionId TextId(int fd) {
  struct stat status = {};
  Must(fstat(fd, &status) == 0);
  return status.st_ino | 3ULL << 62U;
}

sonde_tls_probe FakeProbe(Direction direction) {
  sonde_tls_probe probe = {};
  probe.object = Register(SONDE_REGISTER_DI);
  probe.text = Register(SONDE_REGISTER_SI);
  probe.length = Register(SONDE_REGISTER_DX);
  probe.count = Register(SONDE_REGISTER_CX);
  probe.random = offsetof(FakeTls, random);
  probe.random_pointer = SONDE_NOWHERE;
  probe.server = offsetof(FakeTls, server);
  probe.handshake = offsetof(FakeTls, handshake);
  probe.bio = offsetof(FakeTls, bio);
  probe.bio_method = offsetof(FakeBio, method);
  probe.bio_fd = offsetof(FakeBio, fd);
  probe.owned = SONDE_NOWHERE;
  probe.source = SONDE_SOURCE_OPENSSL;
  probe.direction = static_cast<__u8>(direction);
  probe.fd = SONDE_TLS_FD_BIO;
  return probe;
}

std::unique_ptr<probe::Prober::Attachment> ProbeFakes(Lab& lab, const sonde_tls_probe& receive,
                                                      const sonde_tls_probe& send,
                                                      const sonde_tls_probe& write) {
  const kernel::FileDescriptor file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const std::vector<probe::TlsPoint> points = {
      Point(reinterpret_cast<const void*>(&sonde_fake_receive), receive, false),
      Point(reinterpret_cast<const void*>(&sonde_fake_send), send, false),
      Point(reinterpret_cast<const void*>(&sonde_fake_write), write, true)};
  auto attachment = lab.kernel().uprobes()->Attach(file.get(), points);
  EXPECT_TRUE(attachment.ok()) << attachment.status();
  return attachment.ok() ? *std::move(attachment) : nullptr;
}

}  // namespace sonde::kernel_test
