// SPDX-License-Identifier: Apache-2.0
// Connected stream sockets on loopback, both ends in this process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "kernel/file_descriptor.h"

namespace sonde::kernel_test {

enum class Kind { kTcp4, kTcp6, kMapped, kUnixPair, kUnixBound, kUnixAbstract };
const char* Name(Kind kind);
inline void PrintTo(Kind kind, std::ostream* out) { *out << Name(kind); }  // for gtest
inline bool IsTcp(Kind kind) { return kind <= Kind::kMapped; }

struct Pair {
  kernel::FileDescriptor near;  // the end whose I/O the case looks at: it connected
  kernel::FileDescriptor far;   // it was accepted
  std::string path;             // unix, as the OPEN record writes it
};

Pair Connect(Kind kind);
uint16_t LocalPort(int fd);

// All of it, in as many calls as it takes; false on error or end.
bool SendAll(int fd, std::string_view bytes);
std::string ReceiveExactly(int fd, size_t size);

// A request whose head and body together have `size` bytes; `name` stands in the path.
std::string Request(const std::string& name, size_t size = 120);

}  // namespace sonde::kernel_test
