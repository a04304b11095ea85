// SPDX-License-Identifier: Apache-2.0
// x86-64. Registers have the numbers that DWARF gives them (System V ABI, figure 3.36).
#include <capstone/capstone.h>
#include <capstone/x86.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "binary/capstone_reader.h"
#include "binary/code.h"
#include "binary/decode.h"
#include "sonde/abi/tls.h"

namespace sonde::binary {
namespace {

struct RegisterNames {
  uint8_t number;
  std::array<x86_reg, 5> names;  // of 8, 4, 2, 1 bytes, and the second byte
};

constexpr std::array<RegisterNames, SONDE_REGISTER_COUNT> kRegisters = {{
    {SONDE_REGISTER_AX, {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH}},
    {SONDE_REGISTER_DX, {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH}},
    {SONDE_REGISTER_CX, {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH}},
    {SONDE_REGISTER_BX, {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH}},
    {SONDE_REGISTER_SI, {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL}},
    {SONDE_REGISTER_DI, {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL}},
    {SONDE_REGISTER_BP, {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL}},
    {SONDE_REGISTER_SP, {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL}},
    {8, {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B}},
    {9, {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B}},
    {10, {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B}},
    {11, {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B}},
    {12, {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B}},
    {13, {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B}},
    {14, {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B}},
    {15, {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B}},
}};

uint8_t RegisterNumber(x86_reg reg) {
  if (reg == X86_REG_INVALID) return Operand::kNoRegister;
  for (const RegisterNames& candidate : kRegisters) {
    if (std::ranges::find(candidate.names, reg) != candidate.names.end()) {
      return candidate.number;
    }
  }
  return Operand::kNoRegister;
}

Operand FromCapstone(const cs_insn& raw, const cs_x86_op& from) {
  Operand operand;
  operand.bytes = from.size;
  switch (from.type) {
    case X86_OP_REG:
      operand.base = RegisterNumber(from.reg);
      // Vector and segment registers are none of ours.
      if (operand.base != Operand::kNoRegister) operand.kind = Operand::Kind::kRegister;
      break;
    case X86_OP_IMM:
      operand.kind = Operand::Kind::kNumber;
      operand.value = from.imm;
      break;
    case X86_OP_MEM:
      operand.kind = Operand::Kind::kMemory;
      operand.value = from.mem.disp;
      operand.indexed = from.mem.index != X86_REG_INVALID || from.mem.segment != X86_REG_INVALID;
      operand.thread = from.mem.segment == X86_REG_FS;
      if (from.mem.base == X86_REG_RIP) {
        operand.value += static_cast<int64_t>(raw.address + raw.size);
      } else {
        operand.base = RegisterNumber(from.mem.base);
      }
      break;
    default:
      break;
  }
  return operand;
}

Operation OperationOf(unsigned id) {
  switch (id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
    case X86_INS_MOVZX:
    case X86_INS_MOVSX:
    case X86_INS_MOVSXD:
      return Operation::kMove;
    case X86_INS_LEA:
      return Operation::kLoadAddress;
    case X86_INS_CALL:
      return Operation::kCall;
    case X86_INS_JMP:
      return Operation::kJump;
    case X86_INS_PUSH:
      return Operation::kPush;
    case X86_INS_POP:
      return Operation::kPop;
    case X86_INS_RET:
      return Operation::kReturn;
    case X86_INS_NOP:
      return Operation::kNop;
    case X86_INS_ADD:
      return Operation::kAdd;
    case X86_INS_SUB:
      return Operation::kSubtract;
    case X86_INS_CMP:
      return Operation::kCompare;
    case X86_INS_TEST:
      return Operation::kTest;
    case X86_INS_XOR:
      return Operation::kXor;
    case X86_INS_CMOVA:
    case X86_INS_CMOVAE:
    case X86_INS_CMOVB:
    case X86_INS_CMOVBE:
    case X86_INS_CMOVE:
    case X86_INS_CMOVG:
    case X86_INS_CMOVGE:
    case X86_INS_CMOVL:
    case X86_INS_CMOVLE:
    case X86_INS_CMOVNE:
    case X86_INS_CMOVNO:
    case X86_INS_CMOVNP:
    case X86_INS_CMOVNS:
    case X86_INS_CMOVO:
    case X86_INS_CMOVP:
    case X86_INS_CMOVS:
      return Operation::kConditionalMove;
    default:
      return Operation::kOther;
  }
}

// What branch_setup_xol_ops and push_setup_xol_ops of arch/x86/kernel/uprobes.c take since Linux
// 4.18, without the prefixes that only newer or no kernels accept.
bool IsEmulated(const cs_insn& raw) {
  const uint8_t first = raw.bytes[0];
  const uint8_t second = raw.size > 1 ? raw.bytes[1] : 0;
  if (first == 0xe8 || first == 0xe9 || first == 0xeb || first == 0x90)
    return true;                                                      // call, jmp, nop
  if ((first & 0xf0U) == 0x70) return true;                           // jcc, 1 byte
  if (first == 0x0f) return (second & 0xf0U) == 0x80;                 // jcc, 4 bytes
  if ((first & 0xf8U) == 0x50) return true;                           // push
  return first == 0x41 && raw.size == 2 && (second & 0xf8U) == 0x50;  // push r8 to r15
}

uint32_t WrittenRegisters(csh handle, const cs_insn& raw) {
  cs_regs read{};
  cs_regs written{};
  uint8_t reads = 0;
  uint8_t writes = 0;
  uint32_t set = 0;
  if (cs_regs_access(handle, &raw, read, &reads, written, &writes) != CS_ERR_OK) return 0xffff;
  for (uint8_t i = 0; i < writes; ++i) {
    const uint8_t number = RegisterNumber(static_cast<x86_reg>(written[i]));
    if (number != Operand::kNoRegister) set |= 1U << number;
  }
  return set;
}

bool KeepsFlags(Operation operation) {
  return operation == Operation::kMove || operation == Operation::kPush ||
         operation == Operation::kPop || operation == Operation::kNop ||
         operation == Operation::kLoadAddress || operation == Operation::kConditionalMove ||
         operation == Operation::kJump || operation == Operation::kBranch;
}

Instruction FromCapstone(csh handle, const cs_insn& raw) {
  Instruction instruction;
  instruction.address = raw.address;
  instruction.size = static_cast<uint8_t>(raw.size);
  instruction.operation = OperationOf(raw.id);
  instruction.emulated = IsEmulated(raw);
  const cs_x86& detail = raw.detail->x86;
  if (detail.op_count > 0) instruction.destination = FromCapstone(raw, detail.operands[0]);
  if (detail.op_count > 1) instruction.source = FromCapstone(raw, detail.operands[1]);
  instruction.writes = WrittenRegisters(handle, raw);
  const bool goes = std::any_of(raw.detail->groups, raw.detail->groups + raw.detail->groups_count,
                                [](uint8_t group) { return group == CS_GRP_JUMP; });
  if (goes && instruction.operation == Operation::kOther) {
    instruction.operation = Operation::kBranch;
    // The opcode's last byte: 7x, or 0f 8x.
    instruction.condition = (raw.bytes[0] == 0x0f ? raw.bytes[1] : raw.bytes[0]) & 0x0fU;
  }
  instruction.keeps_flags = KeepsFlags(instruction.operation);
  return instruction;
}

}  // namespace

std::vector<Instruction> DecodeX86(std::string_view code, uint64_t address, size_t limit) {
  std::vector<Instruction> instructions;
  CapstoneReader reader(CS_ARCH_X86, CS_MODE_64, code, address);
  while (instructions.size() < limit) {
    const cs_insn* raw = reader.Next();
    if (raw == nullptr) break;
    instructions.push_back(FromCapstone(reader.handle(), *raw));
  }
  return instructions;
}

}  // namespace sonde::binary
