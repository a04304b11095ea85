// SPDX-License-Identifier: Apache-2.0
// arm64 (A64). What each instruction does: Arm Architecture Reference Manual, C6. Written for the
// names and operands that Capstone 4 and 5 give.
#include <capstone/arm64.h>
#include <capstone/capstone.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "binary/capstone_reader.h"
#include "binary/code.h"
#include "binary/decode.h"

namespace sonde::binary {
namespace {

using Kind = Operand::Kind;

constexpr uint8_t kInstructionBytes = 4;
constexpr uint8_t kLink = 30;
constexpr uint8_t kStack = 31;
constexpr uint8_t kWord = 8;

bool Between(unsigned reg, unsigned first, unsigned last) { return reg >= first && reg <= last; }

uint8_t RegisterNumber(unsigned reg) {
  if (Between(reg, ARM64_REG_X0, ARM64_REG_X28)) return static_cast<uint8_t>(reg - ARM64_REG_X0);
  if (Between(reg, ARM64_REG_W0, ARM64_REG_W30)) return static_cast<uint8_t>(reg - ARM64_REG_W0);
  if (reg == ARM64_REG_X29) return 29;
  if (reg == ARM64_REG_X30) return kLink;
  if (reg == ARM64_REG_SP || reg == ARM64_REG_WSP) return kStack;
  return Operand::kNoRegister;
}

uint8_t Width(unsigned reg) {
  if (Between(reg, ARM64_REG_W0, ARM64_REG_W30) || reg == ARM64_REG_WZR || reg == ARM64_REG_WSP)
    return 4;
  if (Between(reg, ARM64_REG_B0, ARM64_REG_B31)) return 1;
  if (Between(reg, ARM64_REG_H0, ARM64_REG_H31)) return 2;
  if (Between(reg, ARM64_REG_S0, ARM64_REG_S31)) return 4;
  if (Between(reg, ARM64_REG_D0, ARM64_REG_D31) || RegisterNumber(reg) != Operand::kNoRegister ||
      reg == ARM64_REG_XZR) {
    return kWord;
  }
  return 2 * kWord;
}

Operand Number(int64_t value, uint8_t bytes = kWord) {
  return {.kind = Kind::kNumber, .bytes = bytes, .value = value};
}

// The zero register is a number; vector registers are none of ours.
Operand Register(unsigned reg) {
  if (reg == ARM64_REG_WZR || reg == ARM64_REG_XZR) return Number(0, Width(reg));
  Operand operand{.base = RegisterNumber(reg), .bytes = Width(reg)};
  if (operand.base != Operand::kNoRegister) operand.kind = Kind::kRegister;
  return operand;
}

Operand Memory(uint8_t base, int64_t offset, uint8_t bytes) {
  return {.kind = Kind::kMemory, .base = base, .bytes = bytes, .value = offset};
}

uint32_t Bit(const Operand& operand) {
  return operand.kind == Kind::kRegister ? 1U << operand.base : 0;
}

// As x86-64 encodes it; 0 (overflow): of those that are never followed.
uint8_t Condition(arm64_cc code) {
  switch (code) {
    case ARM64_CC_LO:
      return 2;
    case ARM64_CC_HS:
      return 3;
    case ARM64_CC_EQ:
      return 4;
    case ARM64_CC_NE:
      return 5;
    case ARM64_CC_LS:
      return 6;
    case ARM64_CC_HI:
      return 7;
    default:
      return 0;
  }
}

// One instruction, as one or several of code.h.
class Translation {
 public:
  Translation(csh handle, const cs_insn& raw, std::vector<Instruction>& to)
      : handle_(handle), raw_(raw), detail_(raw.detail->arm64), first_(to.size()), to_(to) {}

  void Run() {
    if (!Known()) {
      to_.resize(first_);
      Other();
    }
    to_.back().size = static_cast<uint8_t>(kInstructionBytes - (to_.size() - 1 - first_));
  }

 private:
  const cs_arm64_op& Raw(size_t index) const { return detail_.operands[index]; }
  bool Is(size_t index, arm64_op_type type) const {
    return index < detail_.op_count && Raw(index).type == type;
  }
  Operand Reg(size_t index) const { return Register(Raw(index).reg); }
  bool Changed(size_t index) const {  // shifted or extended before it is used
    const cs_arm64_op& op = Raw(index);
    return (op.shift.type != ARM64_SFT_INVALID && op.shift.value != 0) ||
           op.ext != ARM64_EXT_INVALID;
  }
  int64_t Immediate(size_t index) const {
    const cs_arm64_op& op = Raw(index);
    const bool shifted = op.shift.type == ARM64_SFT_LSL;
    return shifted ? static_cast<int64_t>(static_cast<uint64_t>(op.imm) << op.shift.value) : op.imm;
  }

  Instruction& Add(Operation operation, const Operand& destination, const Operand& source = {}) {
    Instruction instruction;
    instruction.address = raw_.address + (to_.size() - first_);
    instruction.size = 1;
    instruction.operation = operation;
    instruction.keeps_flags = !detail_.update_flags;
    instruction.destination = destination;
    instruction.source = source;
    const bool writes = operation != Operation::kCompare && operation != Operation::kTest &&
                        operation != Operation::kBranch && operation != Operation::kJump;
    if (writes) instruction.writes = Bit(destination);
    to_.push_back(instruction);
    return to_.back();
  }

  bool Known() {
    switch (raw_.id) {
      case ARM64_INS_MOV:
      case ARM64_INS_MOVZ:
      case ARM64_INS_MOVN:
      case ARM64_INS_SXTW:
      case ARM64_INS_ADR:
      case ARM64_INS_ADRP:
        return Move();
      case ARM64_INS_ADD:
        return Sum(Operation::kAdd, 1);
      case ARM64_INS_SUB:
        return Sum(Operation::kSubtract, -1);
      case ARM64_INS_CSEL:
        return Select();
      case ARM64_INS_CMP:
        return Comparison(Operation::kCompare);
      case ARM64_INS_TST:
        return Comparison(Operation::kTest);
      case ARM64_INS_LDR:
      case ARM64_INS_LDUR:
      case ARM64_INS_STR:
      case ARM64_INS_STUR:
        return Transfer(1, Width(Raw(0).reg));
      case ARM64_INS_LDRB:
      case ARM64_INS_LDURB:
      case ARM64_INS_LDRSB:
      case ARM64_INS_LDURSB:
      case ARM64_INS_STRB:
      case ARM64_INS_STURB:
        return Transfer(1, 1);
      case ARM64_INS_LDRH:
      case ARM64_INS_LDURH:
      case ARM64_INS_LDRSH:
      case ARM64_INS_LDURSH:
      case ARM64_INS_STRH:
      case ARM64_INS_STURH:
        return Transfer(1, 2);
      case ARM64_INS_LDRSW:
      case ARM64_INS_LDURSW:
        return Transfer(1, 4);
      case ARM64_INS_LDP:
      case ARM64_INS_LDNP:
      case ARM64_INS_STP:
      case ARM64_INS_STNP:
        return Transfer(2, Width(Raw(0).reg));
      case ARM64_INS_LDPSW:
        return Transfer(2, 4);
      case ARM64_INS_HINT:
      case ARM64_INS_NOP:
        Add(Operation::kNop, {});
        return true;
      default:
        return Branch();
    }
  }

  bool Move() {
    if (!Is(0, ARM64_OP_REG)) return false;
    if (Is(1, ARM64_OP_REG)) {
      if (Changed(1)) return false;
      Add(Operation::kMove, Reg(0), Reg(1));
      return true;
    }
    if (!Is(1, ARM64_OP_IMM)) return false;
    const int64_t number = Immediate(1);
    const Operand to = Reg(0);
    Instruction& made =
        Add(Operation::kMove, to, Number(raw_.id == ARM64_INS_MOVN ? ~number : number, to.bytes));
    made.emulated = raw_.id == ARM64_INS_ADR || raw_.id == ARM64_INS_ADRP;
    return true;
  }

  // register + register or number
  bool Sum(Operation operation, int64_t sign) {
    if (!Is(0, ARM64_OP_REG) || !Is(1, ARM64_OP_REG)) return false;
    const Operand to = Reg(0);
    const Operand one = Reg(1);
    if (to.kind != Kind::kRegister || one.kind != Kind::kRegister) return false;
    const bool number = Is(2, ARM64_OP_IMM);
    if (!number && !Is(2, ARM64_OP_REG)) return false;
    if (number && to.bytes == kWord) {
      Add(Operation::kLoadAddress, to, Memory(one.base, sign * Immediate(2), kWord));
      return true;
    }
    Operand other = number ? Number(Immediate(2), to.bytes) : Reg(2);
    if (!number && Changed(2)) {  // how far is not known
      if (to.bytes != kWord) return false;
      Operand around = Memory(one.base, 0, kWord);
      around.indexed = true;
      Add(Operation::kLoadAddress, to, around);
      return true;
    }
    Operand start = one;
    if (operation == Operation::kAdd && to.base == other.base && !number) std::swap(start, other);
    if (other.kind == Kind::kRegister && to.base == other.base && to.base != start.base)
      return false;
    if (to.base != start.base) Add(Operation::kMove, to, start);
    Add(operation, to, other);
    return true;
  }

  bool Select() {
    const Operand to = Reg(0);
    const Operand one = Reg(1);
    const Operand other = Reg(2);
    if (Bit(to) == 0) return false;
    if (Bit(to) == Bit(other)) {
      Add(Operation::kConditionalMove, to, one);
      return true;
    }
    if (Bit(to) != Bit(one)) Add(Operation::kMove, to, one);
    Add(Operation::kConditionalMove, to, other);
    return true;
  }

  bool Comparison(Operation operation) {
    if (!Is(0, ARM64_OP_REG)) return false;
    const bool number = Is(1, ARM64_OP_IMM);
    if (!number && (!Is(1, ARM64_OP_REG) || Changed(1))) return false;
    const Operand left = Reg(0);
    Add(operation, left, number ? Number(Immediate(1), left.bytes) : Reg(1));
    return true;
  }

  // Loads and stores of `count` registers, with what they do to the base.
  bool Transfer(uint8_t count, uint8_t bytes) {
    if (Is(1, ARM64_OP_IMM)) {  // from near the instruction
      Add(Operation::kMove, Reg(0), {.kind = Kind::kMemory, .bytes = bytes, .value = Raw(1).imm})
          .emulated = true;
      return true;
    }
    if (!Is(count, ARM64_OP_MEM)) return false;
    const arm64_op_mem& mem = Raw(count).mem;
    const uint8_t base = RegisterNumber(mem.base);
    if (base == Operand::kNoRegister) return false;
    const bool indexed = mem.index != ARM64_REG_INVALID;
    const bool after = Is(count + 1U, ARM64_OP_IMM);
    const int64_t moved = after ? Raw(count + 1U).imm : mem.disp;
    if (detail_.writeback && !after) MoveBase(base, moved);
    const int64_t offset = detail_.writeback ? 0 : mem.disp;
    const bool loads = raw_.mnemonic[0] == 'l';
    // A register that is loaded may be the base of the other.
    const bool swapped = loads && count == 2 && Reg(0).base == base;
    for (uint8_t i = 0; i < count; ++i) {
      const uint8_t which = swapped ? 1 - i : i;
      Operand place = Memory(base, offset + int64_t{which} * bytes, bytes);
      place.indexed = indexed;
      if (loads) {
        Add(Operation::kMove, Reg(which), place);
      } else {
        Add(Operation::kMove, place, Reg(which)).writes = 0;
      }
    }
    if (detail_.writeback && after) MoveBase(base, moved);
    return true;
  }

  void MoveBase(uint8_t base, int64_t by) {
    const Operand reg{.kind = Kind::kRegister, .base = base, .bytes = kWord};
    Add(Operation::kLoadAddress, reg, Memory(base, by, kWord));
  }

  // To a number or a register.
  Instruction& Go(Operation operation, size_t operand) {
    Instruction& made =
        Add(operation, Is(operand, ARM64_OP_IMM) ? Number(Raw(operand).imm) : Reg(operand));
    made.emulated = true;
    if (operation == Operation::kCall) {
      made.writes = 1U << kLink;
      made.keeps_flags = false;
    }
    return made;
  }

  // Compares without the flags.
  void TestAndGo(const Operand& with, size_t operand, bool if_zero) {
    Add(Operation::kTest, Reg(0), with);
    Instruction& branch = Go(Operation::kBranch, operand);
    branch.condition = Condition(if_zero ? ARM64_CC_EQ : ARM64_CC_NE);
    branch.keeps_flags = false;
  }

  bool Branch() {
    switch (raw_.id) {
      case ARM64_INS_BL:
      case ARM64_INS_BLR:
        Go(Operation::kCall, 0);
        return true;
      case ARM64_INS_BR:
        Go(Operation::kJump, 0);
        return true;
      case ARM64_INS_RET:
        Add(Operation::kReturn, {}).emulated = true;
        return true;
      case ARM64_INS_B: {
        const bool always = detail_.cc == ARM64_CC_INVALID || detail_.cc == ARM64_CC_AL ||
                            detail_.cc == ARM64_CC_NV;
        Go(always ? Operation::kJump : Operation::kBranch, 0).condition = Condition(detail_.cc);
        return true;
      }
      case ARM64_INS_CBZ:
      case ARM64_INS_CBNZ:
        TestAndGo(Reg(0), 1, raw_.id == ARM64_INS_CBZ);
        return true;
      case ARM64_INS_TBZ:
      case ARM64_INS_TBNZ: {
        const auto bit = static_cast<unsigned>(Raw(1).imm) & 63U;
        TestAndGo(Number(static_cast<int64_t>(uint64_t{1} << bit)), 2, raw_.id == ARM64_INS_TBZ);
        return true;
      }
      default:
        return false;
    }
  }

  void Other() {
    Operand to;
    for (size_t i = 0; i < detail_.op_count; ++i) {
      if (Is(i, ARM64_OP_MEM))
        to = Memory(RegisterNumber(Raw(i).mem.base), Raw(i).mem.disp, 8 * kWord);
    }
    if (to.kind != Kind::kMemory && Is(0, ARM64_OP_REG)) to = Reg(0);
    Instruction& made = Add(Operation::kOther, to);
    made.keeps_flags = false;
    cs_regs read{};
    cs_regs written{};
    uint8_t reads = 0;
    uint8_t writes = 0;
    if (cs_regs_access(handle_, &raw_, read, &reads, written, &writes) != CS_ERR_OK) {
      made.writes = ~0U;
      return;
    }
    made.writes = 0;
    for (uint8_t i = 0; i < writes; ++i) made.writes |= Bit(Register(written[i]));
    // Capstone does not know it of every instruction; a register it only reads is forgotten for
    // nothing.
    if (Is(0, ARM64_OP_REG)) made.writes |= Bit(Reg(0));
  }

  csh handle_;
  const cs_insn& raw_;
  const cs_arm64& detail_;
  const size_t first_;
  std::vector<Instruction>& to_;
};

// Data among code, or an instruction that is younger than Capstone.
Instruction Undecodable(uint64_t address) {
  Instruction instruction;
  instruction.address = address;
  instruction.size = kInstructionBytes;
  instruction.writes = ~(1U << kStack);
  return instruction;
}

}  // namespace

std::vector<Instruction> DecodeArm64(std::string_view code, uint64_t address, size_t limit) {
  std::vector<Instruction> instructions;
  CapstoneReader reader(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, code, address);
  while (instructions.size() < limit) {
    if (const cs_insn* raw = reader.Next(); raw != nullptr) {
      Translation(reader.handle(), *raw, instructions).Run();
      continue;
    }
    const uint64_t at = reader.address();
    if (!reader.Skip(kInstructionBytes)) break;
    instructions.push_back(Undecodable(at));
  }
  return instructions;
}

}  // namespace sonde::binary
