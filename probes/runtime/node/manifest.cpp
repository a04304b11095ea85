// SPDX-License-Identifier: Apache-2.0
// Node.js: the ids of what is executed are in an array of doubles that AsyncHooks leads to. Where,
// is read out of push_async_context, which saves the ids of that array and replaces them; which is
// also where the object is met. Timers, which run between socket events, are told when they begin.
// NOTES.md says what the ids mean, and what was tried.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/flow.h"
#include "binary/sites.h"
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
using binary::Value;

// node::AsyncHooks::push_async_context(double, double, ...): what follows differs by version.
constexpr std::string_view kPush = "_ZN4node10AsyncHooks18push_async_contextEdd";
constexpr uint8_t kHooks = SONDE_REGISTER_DI;

// What is done with the doubles behind a pointer in AsyncHooks.
struct Uses {
  bool reads_execution = false;
  bool reads_trigger = false;
  bool writes_execution = false;  // or both at once
};

std::optional<uint64_t> FindPush(const Elf& elf) {
  constexpr size_t kMaxParts = 8;
  for (const auto& [name, symbol] : elf.FindContaining(kPush, kMaxParts)) {
    if (name.starts_with(kPush) && name.find(".cold") == std::string::npos) return symbol.address;
  }
  return std::nullopt;
}

// The release's address names it twice: ".../v20.20.2/node-v20.20.2.tar.gz".
std::string Version(const Elf& elf) {
  const std::string found = elf.FindVersion("/node-v");
  const size_t v = found.find_last_of('v');
  return v == std::string::npos ? std::string() : found.substr(v);
}

// Doubles go through vector registers, which are no operand that is known.
bool IsDouble(const Operand& memory, const Operand& other) {
  return memory.kind == Operand::Kind::kMemory && other.kind == Operand::Kind::kNone &&
         memory.bytes >= sizeof(double);
}

std::optional<int32_t> IdFields(const Elf& elf, uint64_t push) {
  constexpr int64_t kTrigger = sizeof(double);
  std::map<int64_t, Uses> uses;  // by where the pointer is
  const auto at = [&](const Machine& machine, const Operand& memory, int64_t id) -> Uses* {
    const Value address = machine.Address(memory);
    const bool behind = address.kind == Value::Kind::kLoaded && address.input == kHooks &&
                        address.offset == id && address.pointer >= 0 &&
                        address.pointer <= std::numeric_limits<int32_t>::max();
    return behind ? &uses[address.pointer] : nullptr;
  };
  binary::Follow(elf, push, {}, [&](const Instruction& instruction, const Machine& machine) {
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    if (IsDouble(from, to)) {
      if (Uses* use = at(machine, from, 0)) use->reads_execution = true;
      if (Uses* use = at(machine, from, kTrigger)) use->reads_trigger = true;
    } else if (IsDouble(to, from)) {
      if (Uses* use = at(machine, to, 0)) use->writes_execution = true;
    }
  });
  std::optional<int32_t> fields;
  for (const auto& [pointer, use] : uses) {
    if (!use.reads_execution || !use.reads_trigger || !use.writes_execution) continue;
    if (fields) return std::nullopt;
    fields = static_cast<int32_t>(pointer);
  }
  return fields;
}

std::optional<uint64_t> Entry(const Elf& elf, std::string_view symbol) {
  const auto function = elf.Find(symbol);
  return function ? binary::CheapEntry(elf, function->address, {}, false) : std::nullopt;
}

// Where node::Environment::CheckImmediate calls JavaScript: its entry comes in every turn of the
// loop.
std::optional<uint64_t> Immediates(const Elf& elf) {
  constexpr size_t kMaxParts = 16;
  const auto check = elf.Find("_ZN4node11Environment14CheckImmediateEP10uv_check_s");
  if (!check) return std::nullopt;
  const auto calls = elf.FindContaining("_ZN4node12MakeCallbackE", kMaxParts);
  for (const Instruction& instruction : binary::DisassembleFunction(elf, check->address)) {
    const auto target = instruction.target();
    if (instruction.operation != binary::Operation::kCall || !target) continue;
    for (const auto& [name, symbol] : calls) {
      if (symbol.address == *target) return instruction.address;
    }
  }
  return std::nullopt;
}

// node::ConnectionWrap<...>::OnConnection.
std::string Accepted(std::string_view of) {
  return absl::StrCat("_ZN4node14ConnectionWrapINS_", std::string(of),
                      "E12OnConnectionEP11uv_stream_si");
}

// What runs JavaScript for another reason than bytes that came in.
void AddTurns(const Elf& elf, RuntimePlan& plan) {
  const std::pair<std::string_view, std::optional<uint64_t>> turns[] = {
      {"Environment::RunTimers", Entry(elf, "_ZN4node11Environment9RunTimersEP10uv_timer_s")},
      {"Environment::CheckImmediate", Immediates(elf)},
      {"uv__work_done", Entry(elf, "uv__work_done")},
      // A connection was accepted: what its first request works under is given out here.
      {"TCPWrap::OnConnection", Entry(elf, Accepted("7TCPWrapE8uv_tcp_s"))},
      {"PipeWrap::OnConnection", Entry(elf, Accepted("8PipeWrapE9uv_pipe_s"))},
  };
  for (const auto& [name, address] : turns) {
    const auto offset = address ? elf.CodeOffset(*address) : std::nullopt;
    if (!offset) {
      absl::StrAppend(&plan.remark, plan.remark.empty() ? "not found: " : ", ", std::string(name));
      continue;
    }
    RuntimePoint point;
    point.file_offset = *offset;
    point.event = SONDE_RUNTIME_NODE_TURN;
    point.where = std::string(name);
    plan.points.push_back(std::move(point));
  }
}

Result<RuntimePlan> Resolve(const Elf& elf) {
  const auto push = FindPush(elf);
  if (!push) {
    const std::string version = Version(elf);
    if (version.empty() || !elf.FindString("internal/async_hooks", true)) {
      return absl::NotFoundError("no Node.js");
    }
    return absl::UnimplementedError(
        absl::StrCat("Node.js ", version, " has no symbol push_async_context"));
  }
  RuntimePlan plan;
  plan.version = Version(elf);
  const auto fields = IdFields(elf, *push);
  const auto address = binary::CheapEntry(elf, *push, {kHooks}, false);
  const auto offset = address ? elf.CodeOffset(*address) : std::nullopt;
  if (!fields || !offset) {
    return absl::UnimplementedError(
        absl::StrCat("push_async_context of Node.js ", plan.version,
                     fields ? " has no instruction that can be probed cheaply"
                            : " does not show where the async ids are"));
  }
  plan.layout.kind = SONDE_RUNTIME_NODE;
  plan.layout.node.id_fields = *fields;
  RuntimePoint point;
  point.file_offset = *offset;
  point.event = SONDE_RUNTIME_NODE_HOOKS;
  point.subject.from = kHooks;
  point.use = RuntimePointUse::kOnce;
  point.where = absl::StrCat("AsyncHooks::push_async_context+0x", absl::Hex(*address - *push));
  plan.points.push_back(std::move(point));
  AddTurns(elf, plan);
  return plan;
}

}  // namespace

const Runtime kNode = {.name = "node", .kind = SONDE_RUNTIME_NODE, .resolve = Resolve};

}  // namespace sonde::probe
