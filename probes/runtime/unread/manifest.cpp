// SPDX-License-Identifier: Apache-2.0
// Runtimes that are recognised only, so that what is certain for programs without one is not taken
// for certain there: their threads work for whoever is runnable. NOTES.md says what was found out.
#include <absl/status/status.h>

#include <string_view>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

Result<RuntimePlan> ResolveDotnet(const binary::Elf& elf) {
  // Exported by libcoreclr.so, and by a program that has it inside; ahead-of-time compiled ones
  // have the other.
  for (const std::string_view name : {"coreclr_initialize", "RhpReversePInvoke"}) {
    if (elf.Find(name)) {
      return absl::UnimplementedError(
          "its tasks move between the threads of a pool, and where one is at work is in objects "
          "that "
          "move in memory");
    }
  }
  return absl::NotFoundError("no .NET");
}

Result<RuntimePlan> ResolveErlang(const binary::Elf& elf) {
  if (!elf.Find("erts_schedule") && !elf.Find("erl_start")) return absl::NotFoundError("no Erlang");
  return absl::UnimplementedError(
      "its processes run on whichever scheduler is free, and a connection is served by several");
}

}  // namespace

const Runtime kDotnet = {.name = "dotnet", .kind = SONDE_RUNTIME_OTHER, .resolve = ResolveDotnet};
const Runtime kErlang = {.name = "erlang", .kind = SONDE_RUNTIME_OTHER, .resolve = ResolveErlang};

}  // namespace sonde::probe
