// SPDX-License-Identifier: Apache-2.0
// Ends of TCP connections and new listeners; see NOTES.md.
#include "probes/manifests.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_tcp_state", OnFailure::kFatal}};
constexpr std::string_view kTracepoints[] = {"inet_sock_set_state"};

}  // namespace

constexpr Family kTcpState = {
    .name = "tcp_state",
    .object = "tcp_state",
    .part = Part::kConnections,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.11",
    .fallback = "",
    .cost = "under 0.1 us per change of a TCP connection's state",
    .without = "closing by this side is not seen at once; responses that end with the connection end late; --port does "
               "not notice new listeners",
};

}  // namespace sonde::probe
