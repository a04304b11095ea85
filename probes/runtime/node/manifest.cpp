// SPDX-License-Identifier: Apache-2.0
// Node.js: the ids of what is executed are in an array of doubles that AsyncHooks leads to. Where,
// is read out of push_async_context, which saves the ids of that array and replaces them; which is
// also where the object is met. Timers, which run between socket events, are told when they begin;
// requests and responses of HTTP/2, which are sent later, when nghttp2 is given them.
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
#include "probes/runtime/runtime_points.h"
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

// First argument of nghttp2's functions.
constexpr uint8_t kSession = SONDE_REGISTER_DI;

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

void NotFound(std::string_view what, RuntimePlan& plan) {
  absl::StrAppend(&plan.remark, plan.remark.empty() ? "not found: " : ", ", std::string(what));
}

// node::ConnectionWrap<...>::OnConnection and ::AfterConnect.
std::string Accepted(std::string_view of) {
  return absl::StrCat("_ZN4node14ConnectionWrapINS_", std::string(of),
                      "E12OnConnectionEP11uv_stream_si");
}
std::string Connected(std::string_view of) {
  return absl::StrCat("_ZN4node14ConnectionWrapINS_", std::string(of),
                      "E12AfterConnectEP12uv_connect_si");
}

// Where nghttp2_session keeps the number that the next request gets: what its accessor returns.
std::optional<uint32_t> NextStream(const Elf& elf) {
  const auto accessor = elf.Find("nghttp2_session_get_next_stream_id");
  if (!accessor) return std::nullopt;
  for (const Instruction& instruction : binary::DisassembleFunction(elf, accessor->address)) {
    const Operand& from = instruction.source;
    if (instruction.operation == binary::Operation::kMove && from.kind == Operand::Kind::kMemory &&
        from.base == kSession && !from.indexed && from.bytes == sizeof(uint32_t) &&
        from.value >= 0) {
      return static_cast<uint32_t>(from.value);
    }
  }
  return std::nullopt;
}

// A function of nghttp2, or one that it calls back: its first argument is the session. With
// `stream`, the register of an argument that leads to the number of the stream.
bool AddStreamPoint(const Elf& elf, std::string_view function, sonde_runtime_event event,
                    std::optional<uint8_t> stream, uint32_t detail, RuntimePlan& plan) {
  const auto symbol = elf.Find(function);
  if (!symbol) return false;
  const auto address =
      binary::CheapEntry(elf, symbol->address, {kSession, stream.value_or(kSession)}, false);
  RuntimePoint point;
  point.event = event;
  point.subject.from = kSession;
  point.detail = stream ? *stream : detail;
  return address && AddPoint(elf, symbol->address, function, *address, std::move(point), plan);
}

// Where nghttp2 is given what was read, requests, and responses, and gives what came on a stream.
void AddStreams(const Elf& elf, RuntimePlan& plan) {
  const auto next = NextStream(elf);
  const auto add = [&](std::string_view function, sonde_runtime_event event,
                       std::optional<uint8_t> stream, uint32_t detail = 0) {
    return AddStreamPoint(elf, function, event, stream, detail, plan);
  };
  // Where there is the newer of these two, the older calls it; of the others each is whole.
  const bool reads = add("nghttp2_session_mem_recv2", SONDE_RUNTIME_NODE_READS, std::nullopt) ||
                     add("nghttp2_session_mem_recv", SONDE_RUNTIME_NODE_READS, std::nullopt);
  bool calls = false;
  bool answers = false;
  for (const char* version : {"", "2"}) {
    calls |= next && add(absl::StrCat("nghttp2_submit_request", version), SONDE_RUNTIME_NODE_CALLS,
                         std::nullopt, *next);
    answers |= add(absl::StrCat("nghttp2_submit_response", version), SONDE_RUNTIME_NODE_ANSWERS,
                   SONDE_REGISTER_SI);
  }
  // node::http2::Http2Session's.
  const bool gives =
      add("_ZN4node5http212Http2Session14OnFrameReceiveEP15nghttp2_sessionPK13nghttp2_framePv",
          SONDE_RUNTIME_NODE_FRAME, SONDE_REGISTER_SI) &&
      add("_ZN4node5http212Http2Session19OnDataChunkReceivedEP15nghttp2_sessionhiPKhmPv",
          SONDE_RUNTIME_NODE_STREAM, SONDE_REGISTER_DX) &&
      add("_ZN4node5http212Http2Session13OnStreamCloseEP15nghttp2_sessionijPv",
          SONDE_RUNTIME_NODE_STREAM, SONDE_REGISTER_SI);
  if (!reads || !calls || !answers || !gives) NotFound("streams of nghttp2", plan);
}

// What runs JavaScript for another reason than bytes that came in. False: not all was found.
bool AddTurns(const Elf& elf, RuntimePlan& plan) {
  constexpr std::string_view kTcp = "7TCPWrapE8uv_tcp_s";
  constexpr std::string_view kPipe = "8PipeWrapE9uv_pipe_s";
  const std::pair<std::string_view, std::optional<uint64_t>> turns[] = {
      {"Environment::RunTimers", Entry(elf, "_ZN4node11Environment9RunTimersEP10uv_timer_s")},
      {"Environment::CheckImmediate", Immediates(elf)},
      // What another thread has done or sent: the pool, workers, add-ons.
      {"uv__async_io", Entry(elf, "uv__async_io")},
      {"uv__udp_io", Entry(elf, "uv__udp_io")},
      {"uv__poll_io", Entry(elf, "uv__poll_io")},
      {"uv__signal_event", Entry(elf, "uv__signal_event")},
      {"LibuvStreamWrap::AfterUvWrite",
       Entry(elf, "_ZN4node15LibuvStreamWrap12AfterUvWriteEP10uv_write_si")},
      // A connection was accepted: what its first request works under is given out here.
      {"TCPWrap::OnConnection", Entry(elf, Accepted(kTcp))},
      {"PipeWrap::OnConnection", Entry(elf, Accepted(kPipe))},
      {"TCPWrap::AfterConnect", Entry(elf, Connected(kTcp))},
      {"PipeWrap::AfterConnect", Entry(elf, Connected(kPipe))},
  };
  bool all = true;
  for (const auto& [name, address] : turns) {
    const auto offset = address ? elf.CodeOffset(*address) : std::nullopt;
    if (!offset) {
      NotFound(name, plan);
      all = false;
      continue;
    }
    RuntimePoint point;
    point.file_offset = *offset;
    point.event = SONDE_RUNTIME_NODE_TURN;
    point.where = std::string(name);
    plan.points.push_back(std::move(point));
  }
  return all;
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
  // Which turn a stream was made in says nothing if some turns are not told.
  if (AddTurns(elf, plan)) AddStreams(elf, plan);
  return plan;
}

}  // namespace

const Runtime kNode = {.name = "node", .kind = SONDE_RUNTIME_NODE, .resolve = Resolve};

}  // namespace sonde::probe
