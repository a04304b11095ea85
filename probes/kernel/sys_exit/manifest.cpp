// SPDX-License-Identifier: Apache-2.0
// Probe family `sys_exit`; the evidence is in NOTES.md.
#include <string_view>

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_sys_exit"}};
constexpr std::string_view kTracepoints[] = {"sys_exit"};

}  // namespace

const Family kSysExit = {
    .name = "sys_exit",
    .object = "sys_exit",
    .part = Part::kSockets,
    .on_failure = OnFailure::kFatal,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "5.8",
    .fallback = "",
    .cost = "about 30 ns for every syscall of every process; about 0.4 us per traced socket call",
    .without = "no request is seen",
    .socket_table = true,
    .base_object = "sys_exit_base",
};

}  // namespace sonde::probe
