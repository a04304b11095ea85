// SPDX-License-Identifier: Apache-2.0
// Threads of a process that wait for others at this moment, from /proc/PID/task/TID/syscall.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sonde::tls {

struct FutexWait {
  uint32_t tid = 0;
  uint64_t address = 0;  // of the futex
};

// Those that sleep in futex(2). Empty if the process is gone or may not be read. `proc`: "/proc",
// or a fake tree.
std::vector<FutexWait> ReadFutexWaits(const std::string& proc, uint32_t tgid);

}  // namespace sonde::tls
