// SPDX-License-Identifier: Apache-2.0
#include "probes/registry.h"

#include <span>

#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

// Socket families first: they decide where the state of a socket is kept (Family::socket_table).
const Family* const kFamilies[] = {
    &kSockLength,  // kernel/sock_length
    &kSysExit,     // kernel/sys_exit
    &kTcpState,    // kernel/tcp_state
    &kProcess,     // kernel/process
    &kTls,         // kernel/tls
    &kMapped,      // kernel/mapped
    &kRuntime,     // kernel/runtime
};

}  // namespace

std::span<const Family* const> Families() { return kFamilies; }

}  // namespace sonde::probe
