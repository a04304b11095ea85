// SPDX-License-Identifier: Apache-2.0
// Probe family `sock_length`; the evidence is in NOTES.md.
#include <string_view>

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_sock_send"}, {"sonde_sock_recv"}};
constexpr std::string_view kTracepoints[] = {"sock_send_length", "sock_recv_length"};

}  // namespace

const Family kSockLength = {
    .name = "sock_length",
    .object = "sock_length",
    .part = Part::kSockets,
    .on_failure = OnFailure::kFatal,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "6.5",
    .bypass = "inet_sendpage",
    .fallback = "sys_exit",
    .cost = "0 ns for syscalls that are not socket I/O; about 0.3 us per traced socket call",
    .without = "no request is seen",
    .socket_table = false,
};

}  // namespace sonde::probe
