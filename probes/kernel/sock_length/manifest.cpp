// SPDX-License-Identifier: Apache-2.0
// Primary family for socket I/O; see NOTES.md for the evidence.
#include "probes/manifests.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_sock_send", OnFailure::kFatal}, {"sonde_sock_recv", OnFailure::kFatal}};
constexpr std::string_view kTracepoints[] = {"sock_send_length", "sock_recv_length"};

}  // namespace

constexpr Family kSockLength = {
    .name = "sock_length",
    .object = "sock_length",
    .part = Part::kSockets,
    .on_failure = OnFailure::kFatal,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "6.3",
    .fallback = "sys_exit",
    .cost = "about 0.3 us per send or receive of a traced process, 28 ns of another one, nothing on other system calls",
    .without = "socket traffic, unless the fallback sees it",
};

}  // namespace sonde::probe
