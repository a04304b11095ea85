// SPDX-License-Identifier: Apache-2.0
// Every system call that moves bytes on a socket, under one signature. Those that take several
// segments are given uneven ones. For scripts: a call that does not do what it was told ends the
// child.
#pragma once

#include <ostream>
#include <span>
#include <string_view>

namespace sonde::kernel_test {

// How the records of a call look. The families differ for calls that do not name user memory.
enum class Sight {
  kWhole,   // one record for each message, with its bytes
  kLength,  // records say how many bytes, not which
  kHole,    // no record: the next one's TCP position shows what is missing (unix sockets: nothing
            // does)
};

struct Call {
  const char* name;
  bool sends;
  // Moves exactly `size` bytes: `bytes` when it sends, anything when it receives.
  void (*move)(int fd, std::string_view bytes);
  size_t messages = 1;  // that the hooks see
  Sight sock_length = Sight::kWhole;
  Sight sys_exit = Sight::kWhole;

  Sight In(std::string_view family) const { return family == "sys_exit" ? sys_exit : sock_length; }
};

std::span<const Call> Calls();
// For gtest.
inline void PrintTo(const Call& call, std::ostream* out) { *out << call.name; }

}  // namespace sonde::kernel_test
