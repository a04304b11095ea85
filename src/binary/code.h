// SPDX-License-Identifier: Apache-2.0
// Disassembly, as far as choosing an instruction to probe needs it. x86-64 and arm64; Capstone does
// the work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "binary/elf.h"

namespace sonde::binary {

enum class Operation : uint8_t {
  kOther,  // may write its first operand, or anything else
  kMove,   // also with extension: compare the operands' widths
  kLoadAddress,
  kCall,
  kJump,
  kBranch,  // conditional
  kPush,
  kPop,
  kReturn,
  kNop,
  kAdd,
  kSubtract,
  kCompare,  // cmp; writes no operand
  kTest,     // the same
  kXor,
  kConditionalMove,
};

// One operand: a register, a number, or memory at base + offset (base kNone: an absolute address,
// those relative to the instruction pointer included).
struct Operand {
  enum class Kind : uint8_t { kNone, kRegister, kNumber, kMemory };
  static constexpr uint8_t kNoRegister = 0xff;
  Kind kind = Kind::kNone;
  uint8_t base = kNoRegister;  // as DWARF numbers it on the processor, of any width
  bool indexed = false;        // memory with an index or segment register: not the whole story
  bool thread = false;         // memory of the thread: the address counts from the base of fs
  uint8_t bytes = 0;           // width
  int64_t value = 0;           // number, offset, or absolute address
};

struct Instruction {
  uint64_t address = 0;
  uint8_t size = 0;
  Operation operation = Operation::kOther;
  bool emulated =
      false;  // the kernel emulates it under a uprobe: x86-64 (arch/x86/kernel/uprobes.c)
              // push reg, call and jmp relative, jcc, nop; arm64 (probes/decode-insn.c)
              // every branch, and what is relative to the instruction
  bool keeps_flags = false;  // what a comparison before it said still holds after it
  uint8_t condition = 0;     // kBranch: as x86-64 encodes it (4 equal, 5 not equal)
  uint32_t writes = 0;  // general registers it writes, by number; a call: none but what itself does
  Operand destination;  // first operand
  Operand source;       // second operand
  // Direct call, jump or branch: where to.
  std::optional<uint64_t> target() const {
    const bool goes = operation == Operation::kCall || operation == Operation::kJump ||
                      operation == Operation::kBranch;
    if (!goes || destination.kind != Operand::Kind::kNumber) return std::nullopt;
    return static_cast<uint64_t>(destination.value);
  }
  uint64_t next() const { return address + size; }
};

// Linear disassembly from `address` until `end`, `limit` instructions, 64 KiB or an undecodable
// byte.
std::vector<Instruction> Disassemble(const Elf& elf, uint64_t address, uint64_t end, size_t limit);
// Of a whole function, as Elf::FunctionAt bounds it; at most 64 KiB of it.
std::vector<Instruction> DisassembleFunction(const Elf& elf, uint64_t address);

}  // namespace sonde::binary
