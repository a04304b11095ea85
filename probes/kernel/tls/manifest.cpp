// SPDX-License-Identifier: Apache-2.0
// Probe family `tls`; the evidence is in NOTES.md. Which instructions are probed: probes/tls.

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {
    {.name = "sonde_tls_text", .attach = Attach::kUprobes},
    {.name = "sonde_tls_call", .on_failure = OnFailure::kIgnore, .attach = Attach::kUprobeSession},
    {.name = "sonde_tls_enter", .attach = Attach::kUprobesInstead},
    {.name = "sonde_tls_leave", .attach = Attach::kUprobesInstead},
};

}  // namespace

const Family kTls = {
    .name = "tls",
    .object = "tls",
    .part = Part::kTlsText,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = {},
    .kernel = "5.15",
    .fallback = "",
    .cost =
        "about 1.5 us per read and per write of a traced process; 1.1 us if an untraced process "
        "uses the same file",
    .without = "requests inside TLS are not seen",
    .socket_table = false,
};

}  // namespace sonde::probe
