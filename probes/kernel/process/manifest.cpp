// SPDX-License-Identifier: Apache-2.0
// Follows processes; see NOTES.md.
#include "probes/manifests.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_fork", OnFailure::kFatal},
                                 {"sonde_exec", OnFailure::kFatal},
                                 {"sonde_exit", OnFailure::kFatal}};
constexpr std::string_view kTracepoints[] = {"sched_process_fork", "sched_process_exec", "sched_process_exit"};

}  // namespace

constexpr Family kProcess = {
    .name = "process",
    .object = "process",
    .part = Part::kProcesses,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.11",
    .fallback = "",
    .cost = "under 1 us per fork, exec and exit",
    .without = "children of traced processes and programs started later are not traced",
};

}  // namespace sonde::probe
