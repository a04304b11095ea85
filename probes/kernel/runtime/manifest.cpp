// SPDX-License-Identifier: Apache-2.0
// Probe family `runtime`; the evidence is in NOTES.md. Which instructions are probed:
// probes/runtime.
#include "probes/registry.h"
#include "sonde/base/processor.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {
    {.name = "sonde_runtime_at", .attach = Attach::kUprobes},
    {.name = "sonde_runtime_return", .attach = Attach::kUprobes},
};

}  // namespace

const Family kRuntime = {
    .name = "runtime",
    .object = "runtime",
    .part = Part::kRuntimes,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = {},
    .kernel = "5.15",
    .fallback = "",
    .cost =
        "only in processes with such a runtime: Python about 2 us per asyncio task and 4 us per "
        "piece of work of a thread pool, Java about 1.5 us per wake of a thread, tokio about 9 us "
        "per outgoing call, Go about 2 us per request and call of HTTP/2, 4 us per call of gRPC; "
        "Node none",
    .without =
        "outgoing calls of Python's and Java's thread pools, of tokio, of asyncio's child tasks "
        "and "
        "of Go's gRPC and HTTP/2 servers stay without a parent",
    .socket_table = false,
    .processors = Processors::kX86,
};

}  // namespace sonde::probe
