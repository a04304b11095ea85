// SPDX-License-Identifier: Apache-2.0
// Probe family `mapped`; the evidence is in NOTES.md.
#include <string_view>

#include "probes/registry.h"
#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

constexpr Program kPrograms[] = {{"sonde_mapped"}};
constexpr std::string_view kTracepoints[] = {"mm_filemap_map_pages"};

}  // namespace

const Family kMapped = {
    .name = "mapped",
    .object = "mapped",
    .part = Part::kMappings,
    .on_failure = OnFailure::kWarn,
    .programs = kPrograms,
    .tracepoints = kTracepoints,
    .kernel = "6.9",
    .fallback = "",
    .cost =
        "about 80 ns when a process touches a part of a file for the first time, no system call",
    .without =
        "TLS libraries are looked for when a process starts and a second later, not when it "
        "loads one after that",
    .socket_table = false,
};

}  // namespace sonde::probe
