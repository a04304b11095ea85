// SPDX-License-Identifier: Apache-2.0
// crypto/tls of Go's standard library, part of the program itself. Reads are seen where Conn.Read
// copies decrypted text to its caller, writes where Conn.Write passes its text on to be encrypted:
// both are direct calls, made once the handshake is done. NOTES.md has the evidence.
#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/go_functions.h"
#include "probes/tls/tls_libraries.h"
#include "sonde/abi/record.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/tls.h"

namespace sonde::probe {
namespace {

using binary::Function;
using binary::Instruction;
using binary::Operand;
using binary::Operation;

constexpr size_t kMaxInstructions = 4096;  // Conn.Read has 210, Conn.Write 340

constexpr sonde_place Register(uint8_t number) { return {number, 0, 0, 0, 0}; }
constexpr sonde_place InStack(int64_t offset) {
  return {SONDE_REGISTER_SP, 1, 0, 0, static_cast<int32_t>(offset)};
}

bool IsRegister(const Operand& operand, uint8_t number) {
  return operand.kind == Operand::Kind::kRegister && operand.base == number;
}

bool IsStack(const Operand& operand, int64_t offset) {
  return operand.kind == Operand::Kind::kMemory && operand.base == SONDE_REGISTER_SP &&
         !operand.indexed && operand.value == offset;
}

bool Writes(const Instruction& instruction, uint8_t number) {
  return (instruction.writes >> number & 1U) != 0;
}

// Arguments come in registers (ABIInternal: rax, rbx, rcx, rdi ...) and have a place of 8 bytes
// each above the return address, where the prologue saves those that are needed later. The stack
// pointer does not move between prologue and return. Offset of the receiver's place; empty if the
// prologue does not save rax there, as with arguments on the stack.
std::optional<int64_t> ReceiverPlace(const std::vector<Instruction>& code) {
  constexpr int64_t kWord = 8;
  constexpr int64_t kMaxFrame = 1 << 20;
  int64_t frame = 0;
  for (const Instruction& instruction : code) {
    if (instruction.operation == Operation::kCall) break;
    if (instruction.operation == Operation::kPush) frame += kWord;
    if (instruction.operation == Operation::kSubtract &&
        IsRegister(instruction.destination, SONDE_REGISTER_SP)) {
      frame += instruction.source.kind == Operand::Kind::kNumber ? instruction.source.value : 0;
    }
    if (frame < 0 || frame > kMaxFrame || Writes(instruction, SONDE_REGISTER_AX)) break;
    if (instruction.operation == Operation::kMove &&
        IsRegister(instruction.source, SONDE_REGISTER_AX) &&
        IsStack(instruction.destination, frame + kWord)) {
      return frame + kWord;
    }
  }
  return std::nullopt;
}

sonde_tls_probe Probe(sonde_direction direction) {
  // Conn does not keep the client random.
  sonde_tls_probe probe = UndescribedTlsProbe(SONDE_SOURCE_GO_TLS, direction);
  probe.returned = SONDE_RETURNED_ALL;
  probe.fd = SONDE_TLS_FD_GO;
  return probe;
}

std::optional<TlsPoint> Point(const binary::Elf& elf, const Function& function,
                              const Instruction& instruction, std::string_view name) {
  const auto offset = elf.CodeOffset(instruction.address);
  if (!offset || !instruction.emulated) return std::nullopt;
  std::array<char, 16> distance{};
  snprintf(distance.data(), distance.size(), "+0x%x",
           static_cast<unsigned>(instruction.address - function.start));
  TlsPoint point;
  point.file_offset = *offset;
  point.where = std::string(name) + distance.data();
  return point;
}

// The last instruction before `call` that sets rax loads Read's buffer: what is copied goes there.
bool CopiesTo(const std::vector<Instruction>& code, size_t call, int64_t buffer) {
  constexpr size_t kBack = 12;
  for (size_t i = call; i > 0 && call - i < kBack; --i) {
    const Instruction& before = code[i - 1];
    if (before.operation == Operation::kCall) return false;
    if (!Writes(before, SONDE_REGISTER_AX)) continue;
    return before.operation == Operation::kMove && IsStack(before.source, buffer);
  }
  return false;
}

bool Calls(const std::vector<Instruction>& code, uint64_t function) {
  return std::ranges::any_of(code, [&](const Instruction& instruction) {
    return instruction.operation == Operation::kCall && instruction.target() == function;
  });
}

// What of crypto/tls a program has, and where what it calls begins: kNowhere = it is not there.
struct Functions {
  Function read;
  Function write;
  uint64_t record = 0;      // (*Conn).writeRecordLocked
  uint64_t move = 0;        // runtime.memmove
  uint64_t reader = 0;      // bytes.(*Reader).Read
  uint64_t slice_copy = 0;  // runtime.slicecopy, called under the race detector only
};
constexpr uint64_t kNowhere = UINT64_MAX;

Result<Functions> Find(const binary::Elf& elf) {
  const auto found =
      binary::FindGoFunctions(elf, {"crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write",
                                    "crypto/tls.(*Conn).writeRecordLocked", "runtime.memmove",
                                    "bytes.(*Reader).Read", "runtime.slicecopy"});
  if (!found.ok()) return found.status();
  const auto& read = (*found)[0];
  const auto& write = (*found)[1];
  if (!read || !write) return absl::NotFoundError("no crypto/tls");
  const auto start = [&](size_t index) {
    return (*found)[index].value_or(Function{.start = kNowhere}).start;
  };
  return Functions{*read, *write, start(2), start(3), start(4), start(5)};
}

// `call runtime.memmove` of an inlined bytes.(*Reader).Read: rax to, rbx from, rcx bytes.
Status AddReads(const binary::Elf& elf, const Functions& functions, std::vector<TlsPoint>& points) {
  const auto code =
      binary::Disassemble(elf, functions.read.start, functions.read.end, kMaxInstructions);
  const auto receiver = ReceiverPlace(code);
  if (!receiver) {
    return absl::UnimplementedError("its functions take their arguments on the stack (Go < 1.17)");
  }
  for (size_t i = 0; i < code.size(); ++i) {
    if (code[i].operation != Operation::kCall || code[i].target() != functions.move) continue;
    if (!CopiesTo(code, i, *receiver + 8)) continue;
    auto point = Point(elf, functions.read, code[i], "crypto/tls.(*Conn).Read");
    if (!point) continue;
    point->spec = Probe(SONDE_RECEIVE);
    point->spec.object = InStack(*receiver);
    point->spec.text = Register(SONDE_REGISTER_BX);
    point->spec.length = Register(SONDE_REGISTER_CX);
    points.push_back(*std::move(point));
  }
  if (!points.empty()) return absl::OkStatus();
  if (Calls(code, functions.reader)) {
    return absl::UnimplementedError("it was built without inlining (-gcflags=-l)");
  }
  if (Calls(code, functions.slice_copy)) {
    return absl::UnimplementedError("it was built with the race detector");
  }
  return absl::UnimplementedError("crypto/tls.(*Conn).Read copies its text in an unknown way");
}

// `call writeRecordLocked`: rax Conn, rbx record type, {rcx text, rdi bytes, rsi capacity}. TLS 1.0
// has a call of its own for the first byte.
Status AddWrites(const binary::Elf& elf, const Functions& functions,
                 std::vector<TlsPoint>& points) {
  const size_t before = points.size();
  for (const Instruction& call :
       binary::Disassemble(elf, functions.write.start, functions.write.end, kMaxInstructions)) {
    if (call.operation != Operation::kCall || call.target() != functions.record) continue;
    auto point = Point(elf, functions.write, call, "crypto/tls.(*Conn).Write");
    if (!point) continue;
    point->spec = Probe(SONDE_SEND);
    point->spec.object = Register(SONDE_REGISTER_AX);
    point->spec.text = Register(SONDE_REGISTER_CX);
    point->spec.length = Register(SONDE_REGISTER_DI);
    points.push_back(*std::move(point));
  }
  if (points.size() > before) return absl::OkStatus();
  return absl::UnimplementedError("crypto/tls.(*Conn).Write passes its text on in an unknown way");
}

Result<TlsPlan> Resolve(const binary::Elf& elf) {
  const auto functions = Find(elf);
  if (!functions.ok()) return functions.status();
  TlsPlan plan;
  plan.version = binary::GoVersion(elf);
  if (auto status = AddReads(elf, *functions, plan.points); !status.ok()) return status;
  if (auto status = AddWrites(elf, *functions, plan.points); !status.ok()) return status;
  return plan;
}

}  // namespace

const TlsLibrary kGoTls = {"go_tls", Resolve};

}  // namespace sonde::probe
