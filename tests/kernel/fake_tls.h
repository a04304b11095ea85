// SPDX-License-Identifier: Apache-2.0
// A TLS library as the kernel side sees one: objects with a client random, and functions that plain
// text passes through, whose first instruction is one the kernel emulates. It is part of the test
// program, whose file is probed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lab.h"
#include "sonde/abi/tls.h"
#include "sonde/pipeline/event.h"
#include "sonde/probe/prober.h"

namespace sonde::kernel_test {

struct FakeBio {
  const int* method = nullptr;  // begins with the type
  int fd = -1;
};

struct FakeTls {
  int handshake = 0;
  int server = 0;
  FakeBio* bio = nullptr;
  char random[32] = {};
  size_t accepts = 0;  // of the next FakeWrite; 0 = it would block
  // Like Rust's Box<dyn Trait>: what it owns, and that one's methods.
  const int* owned = nullptr;
  const void* const* methods = nullptr;
};

// Methods that a probe with SONDE_SOUGHT finds `owned` by; others do not begin so.
const void* const* FakeMethods();

// Text that passes; nothing is done with it.
void FakeText(FakeTls& tls, std::string_view text, Direction direction);
// Like SSL_write_ex: 1 and the count, or 0.
int FakeWrite(FakeTls& tls, std::string_view text, size_t& written);

// A ClientHello record that begins with `random`.
std::string ClientHello(std::string_view random);

// Id of the text of a socket's connection.
ConnectionId TextId(int fd);

// What is known of a FakeTls object; as a resolver would find it.
sonde_tls_probe FakeProbe(Direction direction);
// Probes the test program; the returned object keeps it probed.
std::unique_ptr<probe::Prober::Attachment> ProbeFakes(Lab& lab, const sonde_tls_probe& receive,
                                                      const sonde_tls_probe& send,
                                                      const sonde_tls_probe& write);

}  // namespace sonde::kernel_test
