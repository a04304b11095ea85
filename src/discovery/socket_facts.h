// SPDX-License-Identifier: Apache-2.0
// Which TCP ports a process listens on: its socket file descriptors joined with the tables of its
// network namespace.
#pragma once

#include <string>

#include "sonde/pipeline/process.h"

namespace sonde::discovery {

// Sets listen_ports, has_tcp and has_socket from `directory` ("/proc/17/"). Of the tables only the
// listening entries, which the kernel prints first, and enough of the rest to know whether one is
// the process's, up to 256 KiB, are read.
void ReadSockets(const std::string& directory, ProcessFacts& facts);

}  // namespace sonde::discovery
