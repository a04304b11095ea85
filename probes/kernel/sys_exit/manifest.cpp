// SPDX-License-Identifier: Apache-2.0
// Fallback family for socket I/O; see NOTES.md for the evidence.
#include "probes/manifests.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_sys_exit", OnFailure::kFatal}};
constexpr std::string_view kTracepoints[] = {"sys_exit"};

}  // namespace

constexpr Family kSysExit = {
    .name = "sys_exit",
    .object = "sys_exit",
    .part = Part::kSockets,
    .on_failure = OnFailure::kFatal,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.12",
    .fallback = "",
    .cost = "about 0.4 us per send or receive of a traced process, 15 to 30 ns on every system call of the host",
    .without = "socket traffic where sock_length does not work",
    .socket_table = true,
};

}  // namespace sonde::probe
