// SPDX-License-Identifier: Apache-2.0
// Probe family `tcp_state`; the evidence is in NOTES.md.
#include <string_view>

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_tcp_state"}};
constexpr std::string_view kTracepoints[] = {"inet_sock_set_state"};

}  // namespace

const Family kTcpState = {
    .name = "tcp_state",
    .object = "tcp_state",
    .part = Part::kConnections,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.8",
    .fallback = "",
    .cost = "nothing between opening and closing of TCP connections",
    .without = "closed connections are noticed late, and a process that begins to listen is not",
    .socket_table = false,
    .base_object = "tcp_state_base",
};

}  // namespace sonde::probe
