// SPDX-License-Identifier: Apache-2.0
// Probe family `process`; the evidence is in NOTES.md.
#include <string_view>

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_fork"}, {"sonde_exec"}, {"sonde_exit"}};
constexpr std::string_view kTracepoints[] = {"sched_process_fork", "sched_process_exec",
                                             "sched_process_exit"};

}  // namespace

const Family kProcess = {
    .name = "process",
    .object = "process",
    .part = Part::kProcesses,
    .on_failure = OnFailure::kFatal,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.8",
    .fallback = "",
    .cost = "nothing between process starts and ends",
    .without = "children and new processes are not followed",
    .socket_table = false,
};

}  // namespace sonde::probe
