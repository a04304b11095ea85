// SPDX-License-Identifier: Apache-2.0
// HAProxy: its scheduler notes for each thread which task or tasklet runs. Where, is read out of
// the function that wakes a tasklet, which does not do so if it is the one that runs; the scheduler
// itself must agree. NOTES.md has the evidence.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/flow.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Elf;
using binary::Instruction;
using binary::Machine;
using binary::Operand;
using binary::Operation;
using binary::Value;

// All are exported, for plugins and for the names in its own reports.
constexpr std::string_view kScheduler = "run_tasks_from_lists";
constexpr std::string_view kThreads[] = {"th_ctx", "sched"};  // since 2.5; before
// Of a tasklet on this thread, by its first argument; that of 3.5 and later first.
constexpr std::string_view kWakes[] = {"__tasklet_wakeup_here", "__tasklet_wakeup_on"};
// A variable of the environment that it sets, in its constants even where nothing is exported.
constexpr std::string_view kMark = "HAPROXY_LOCALPEER";

constexpr uint8_t kTasklet = SONDE_REGISTER_DI;
constexpr uint8_t kWord = 8;

bool IsField(const Operand& operand) {
  constexpr int64_t kMaxOffset = 1024;
  return operand.kind == Operand::Kind::kMemory && operand.bytes == kWord && !operand.indexed &&
         operand.base != Operand::kNoRegister && operand.base != SONDE_REGISTER_SP &&
         operand.value >= 0 && operand.value < kMaxOffset && operand.value % kWord == 0;
}

bool IsField(const Operand& operand, int64_t offset) {
  return IsField(operand) && operand.value == offset;
}

// How far below the thread's pointer the pointer to its scheduler is; not those of other threads.
std::optional<int32_t> ThreadPlace(const Elf& elf) {
  constexpr size_t kMaxNames = 64;
  const auto bytes = elf.ThreadBytes();
  if (!bytes) return std::nullopt;
  for (const std::string_view variable : kThreads) {
    for (const auto& [name, symbol] : elf.FindThreadLocals(variable, kMaxNames)) {
      if (name != variable || symbol.size != kWord || symbol.address > *bytes - kWord) continue;
      const uint64_t below = *bytes - symbol.address;
      if (below > std::numeric_limits<int32_t>::max()) continue;
      return -static_cast<int32_t>(below);
    }
  }
  return std::nullopt;
}

// `if (tasklet == th_ctx->current)`: the only field of anything that the tasklet is compared with.
std::optional<int32_t> ComparedField(const Elf& elf, uint64_t wake) {
  std::optional<int64_t> field;
  bool several = false;
  binary::Follow(elf, wake, {}, [&](const Instruction& instruction, const Machine& machine) {
    if (instruction.operation != Operation::kCompare) return;
    const bool first = instruction.destination.kind == Operand::Kind::kMemory;
    const Operand& memory = first ? instruction.destination : instruction.source;
    const Operand& other = first ? instruction.source : instruction.destination;
    if (!IsField(memory) || machine.Read(other) != Value::Input(kTasklet)) return;
    several = several || (field && *field != memory.value);
    field = memory.value;
  });
  if (!field || several) return std::nullopt;
  return static_cast<int32_t>(*field);
}

std::optional<int32_t> CurrentField(const Elf& elf) {
  for (const std::string_view name : kWakes) {
    const auto wake = elf.Find(name);
    const auto field = wake ? ComparedField(elf, wake->address) : std::nullopt;
    if (field) return field;
  }
  return std::nullopt;
}

// The scheduler: current = task; run it; current = NULL.
bool SchedulerAgrees(const Elf& elf, int64_t field) {
  const auto scheduler = elf.Find(kScheduler);
  if (!scheduler) return false;
  const auto code = binary::DisassembleFunction(elf, scheduler->address);
  const auto stores = [&](Operand::Kind what) {
    return std::ranges::any_of(code, [&](const Instruction& instruction) {
      return instruction.operation == Operation::kMove && IsField(instruction.destination, field) &&
             instruction.source.kind == what &&
             (what != Operand::Kind::kNumber || instruction.source.value == 0);
    });
  };
  return stores(Operand::Kind::kRegister) && stores(Operand::Kind::kNumber);
}

std::string Version(const Elf& elf) {
  constexpr size_t kMaxBytes = 64;
  const auto symbol = elf.Find("haproxy_version");
  if (!symbol || symbol->size > kMaxBytes) return {};
  const std::string text = elf.Read(symbol->address, symbol->size);
  return text.substr(0, text.find('\0'));
}

Result<RuntimePlan> Resolve(const Elf& elf) {
  if (!elf.Find(kScheduler)) {
    if (!elf.ThreadBytes() || !elf.FindString(kMark, false)) {
      return absl::NotFoundError("no HAProxy");
    }
    return absl::UnimplementedError("this HAProxy exports no symbols");
  }
  RuntimePlan plan;
  plan.version = Version(elf);
  const std::string program =
      plan.version.empty() ? "this HAProxy" : absl::StrCat("HAProxy ", plan.version);
  const auto thread = ThreadPlace(elf);
  if (!thread) {
    return absl::UnimplementedError(
        absl::StrCat(program, " has no thread-local variable th_ctx: it is older than 2.4"));
  }
  const auto current = CurrentField(elf);
  if (!current || !SchedulerAgrees(elf, *current)) {
    return absl::UnimplementedError(
        absl::StrCat(program, current ? " contradicts itself" : " does not show",
                     " where it notes the task that runs: it is built without optimisation, "
                     "changed, or too new"));
  }
  plan.layout.kind = SONDE_RUNTIME_HAPROXY;
  plan.layout.haproxy = {.thread = *thread, .current = *current};
  return plan;
}

}  // namespace

const Runtime kHaproxy = {.name = "haproxy", .kind = SONDE_RUNTIME_HAPROXY, .resolve = Resolve};

}  // namespace sonde::probe
