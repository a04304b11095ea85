// SPDX-License-Identifier: Apache-2.0
// Go's runtime, part of the program itself. Where a goroutine's fields are depends on the minor
// version only; what the table says is believed if a few functions of the program, found by name in
// pclntab, do use these fields so. NOTES.md has the evidence.
#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/go_functions.h"
#include "probes/runtime/go/code.h"
#include "probes/runtime/go/fields.h"
#include "probes/runtime/go/streams.h"
#include "probes/runtime/runtime_points.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Function;
using binary::Instruction;
using binary::Operand;
using binary::Operation;
using Code = std::vector<Instruction>;

constexpr uint8_t kG = 14;  // r14: the current g, in all code that is compiled
constexpr uint8_t kWord = 8;

struct Functions {
  GoRuntimeCode code;
  Code mcall;
  std::optional<Function> ready;
  std::optional<Function> makes;  // what `go f()` runs on the scheduler's stack
  std::optional<Function> queues;
};

Result<Functions> Read(const binary::Elf& elf) {
  const auto found = binary::FindGoFunctions(
      elf, {"runtime.goroutineheader", "runtime.newproc1", "runtime.chanrecv",
            "runtime.releaseSudog", "runtime.mcall", "runtime.ready", "runtime.(*waitq).enqueue",
            "runtime.newproc.func1", "runtime.runqput"});
  if (!found.ok()) return found.status();
  Functions functions;
  const std::array<Code*, 5> codes = {&functions.code.header, &functions.code.create,
                                      &functions.code.receive, &functions.code.release,
                                      &functions.mcall};
  for (size_t i = 0; i < codes.size(); ++i) {
    constexpr size_t kMaxInstructions = 4096;  // they have up to 700
    const auto& function = (*found)[i];
    if (!function) return absl::UnimplementedError("functions of its runtime have no names");
    *codes.at(i) = binary::Disassemble(elf, function->start, function->end, kMaxInstructions);
  }
  functions.ready = (*found)[5];
  const auto& enqueue = (*found)[6];
  if (enqueue) functions.code.enqueue = enqueue->start;
  functions.makes = (*found)[7];
  functions.queues = (*found)[8];
  return functions;
}

// mcall switches to another g: `mov fs:[offset], r14`; in a position-independent program
// `mov r, offset; mov fs:[r], r14`.
Result<int32_t> ThreadOffset(const Code& code) {
  constexpr int64_t kLowest = -(1 << 20);
  for (size_t i = 0; i < code.size(); ++i) {
    const Operand& to = code[i].destination;
    if (code[i].operation != Operation::kMove || !to.thread ||
        code[i].source.kind != Operand::Kind::kRegister || code[i].source.base != kG) {
      continue;
    }
    int64_t offset = to.value;
    if (to.base != Operand::kNoRegister) {
      size_t set = i;
      while (set > 0 && !WritesRegister(code[set - 1], to.base)) --set;
      const Instruction* load = set > 0 ? &code[set - 1] : nullptr;
      if (load == nullptr || load->operation != Operation::kMove) break;
      if (load->source.kind != Operand::Kind::kNumber) {
        return absl::UnimplementedError(
            "it is a library: where its threads keep their goroutine is decided when it is loaded");
      }
      offset += load->source.value;
    }
    if (offset > -kWord || offset < kLowest || offset % kWord != 0) break;
    return static_cast<int32_t>(offset);
  }
  return absl::UnimplementedError("runtime.mcall sets the current goroutine in an unknown way");
}

void AddReady(const binary::Elf& elf, const Function& ready, RuntimePlan& plan) {
  const auto address = GoEntry(elf, ready);
  if (!address) return;
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_READY;
  point.subject = {SONDE_REGISTER_AX, 0, 0, 0, 0};
  point.use = RuntimePointUse::kOptIn;
  // waitReasonChanReceive and waitReasonSelect: the same from Go 1.15 to 1.25.
  constexpr uint32_t kReasons = 14 | 9 << 8;
  constexpr uint32_t kReasonsOf126 = 19 | 18 << 8;
  point.detail = plan.layout.go.sudog_waitlink == 72 ? kReasonsOf126 : kReasons;
  AddPoint(elf, ready.start, "runtime.ready", *address, point, plan);
}

// Where a goroutine that was just made is put into the queue: runqput(p, g, next).
void AddMade(const binary::Elf& elf, const Function& makes, const Function& queues,
             RuntimePlan& plan) {
  constexpr size_t kMaxInstructions = 256;  // it has about 30
  const Code code = binary::Disassemble(elf, makes.start, makes.end, kMaxInstructions);
  const auto call = std::ranges::find_if(code, [&](const Instruction& instruction) {
    return instruction.operation == Operation::kCall && instruction.target() == queues.start;
  });
  if (call == code.end()) return;
  RuntimePoint point;
  point.event = SONDE_RUNTIME_GO_MADE;
  point.subject = {SONDE_REGISTER_BX, 0, 0, 0, 0};
  point.use = RuntimePointUse::kOnDemand;
  AddPoint(elf, makes.start, "runtime.newproc.func1", call->address, point, plan);
}

Result<RuntimePlan> Resolve(const binary::Elf& elf) {
  const auto functions = Read(elf);
  if (!functions.ok()) return functions.status();
  RuntimePlan plan;
  plan.version = binary::GoVersion(elf);
  const auto fields = GoFields(functions->code, plan.version);
  if (!fields.ok()) return fields.status();
  const auto offset = ThreadOffset(functions->mcall);
  if (!offset.ok()) return offset.status();
  plan.layout.kind = SONDE_RUNTIME_GO;
  plan.layout.go = *fields;
  plan.layout.go.g = *offset;
  const auto& ready = functions->ready;
  if (ready) AddReady(elf, *ready, plan);
  const auto& makes = functions->makes;
  const auto& queues = functions->queues;
  if (makes && queues) AddMade(elf, *makes, *queues, plan);
  plan.remark = AddStreams(elf, plan);
  return plan;
}

}  // namespace

const Runtime kGo = {.name = "go", .kind = SONDE_RUNTIME_GO, .resolve = Resolve};

}  // namespace sonde::probe
