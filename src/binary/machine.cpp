// SPDX-License-Identifier: Apache-2.0
#include "binary/machine.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "binary/code.h"
#include "binary/flow.h"
#include "binary/registers.h"
#include "sonde/abi/tls.h"

namespace sonde::binary {
namespace {

using Kind = Value::Kind;

constexpr uint8_t kWord = 8;
// More than compilers spill; what is beyond is not known.
constexpr size_t kMaxSlots = 512;

int64_t Masked(int64_t number, uint8_t bytes) {
  if (bytes >= kWord) return number;
  return static_cast<int64_t>(static_cast<uint64_t>(number) & ((uint64_t{1} << (8U * bytes)) - 1));
}

Value Plus(const Value& value, int64_t number) {
  if (value.kind == Kind::kUnknown || value.kind == Kind::kNear) return value;
  Value sum = value;
  sum.offset =
      static_cast<int64_t>(static_cast<uint64_t>(sum.offset) + static_cast<uint64_t>(number));
  return sum;
}

// + something unknown
Value Around(const Value& value) {
  if (value.kind == Kind::kInput || value.kind == Kind::kNear) {
    return {Kind::kNear, value.input, 0, 0};
  }
  return {};
}

Value Joined(const Value& one, const Value& other) {
  if (one == other) return one;
  const Value null = Value::Number(0);
  if (one == null && other.kind != Kind::kNumber) return other;
  if (other == null && one.kind != Kind::kNumber) return one;
  if (Around(one) == Around(other)) return Around(one);
  return {};
}

// The address a memory operand stands for.
Value AddressOf(const Machine& machine, const Operand& operand) {
  if (operand.base == Operand::kNoRegister) {
    return operand.indexed ? Value{} : Value::Number(operand.value);
  }
  const Value address = Plus(machine.registers[operand.base], operand.value);
  return operand.indexed ? Around(address) : address;
}

std::optional<int64_t> SlotOf(const Machine& machine, const Operand& operand) {
  const Value address = AddressOf(machine, operand);
  if (address.kind != Kind::kInput || address.input != kStackPointer) return std::nullopt;
  return address.offset;
}

void WriteSlot(Machine& machine, int64_t slot, uint8_t bytes, const Value& value) {
  // Whatever overlaps is gone; a slot is at most 8 bytes wide.
  auto at = machine.slots.upper_bound(slot - kWord);
  while (at != machine.slots.end() && at->first < slot + bytes) {
    at = at->first + at->second.bytes > slot ? machine.slots.erase(at) : std::next(at);
  }

  const bool known =
      value.kind != Kind::kUnknown && (bytes == kWord || value.kind == Kind::kNumber);
  if (known && machine.slots.size() < kMaxSlots) machine.slots.emplace(slot, Slot{value, bytes});
}

void Write(Machine& machine, const Operand& to, const Value& value) {
  if (to.kind == Operand::Kind::kRegister) {
    Value& target = machine.registers[to.base];
    if (to.bytes == kWord) {
      target = value;
    } else if (to.bytes == 4 && value.kind == Kind::kNumber) {
      target = Value::Number(Masked(value.offset, to.bytes));
    } else {
      target = {};
    }
  } else if (to.kind == Operand::Kind::kMemory) {
    const auto slot = SlotOf(machine, to);
    if (slot) WriteSlot(machine, *slot, to.bytes, value);
  }
}

void Forget(Machine& machine, uint32_t registers) {
  for (size_t i = 0; i < machine.registers.size(); ++i) {
    if ((registers >> i & 1U) != 0) machine.registers[i] = {};
  }
}

Value Sum(const Value& one, const Value& other, bool subtract) {
  if (other.kind == Kind::kNumber) return Plus(one, subtract ? -other.offset : other.offset);
  if (subtract) return other.kind == Kind::kUnknown ? Around(one) : Value{};
  if (one.kind == Kind::kNumber) return Plus(other, one.offset);
  // A pointer and a length, of which only one can come from where the pointer comes from.
  const Value left = Around(one);
  const Value right = Around(other);
  if (left.kind == Kind::kUnknown) return right;
  return right.kind == Kind::kUnknown ? left : Value{};
}

void Push(Machine& machine, const Value& value) {
  Value& stack = machine.registers[kStackPointer];
  stack = Plus(stack, -kWord);
  if (stack.kind == Kind::kInput && stack.input == kStackPointer) {
    WriteSlot(machine, stack.offset, kWord, value);
  }
}

Value Pop(Machine& machine) {
  Value& stack = machine.registers[kStackPointer];
  Value value;
  if (stack.kind == Kind::kInput && stack.input == kStackPointer) {
    const auto slot = machine.slots.find(stack.offset);
    if (slot != machine.slots.end() && slot->second.bytes == kWord) value = slot->second.value;
  }
  stack = Plus(stack, kWord);
  return value;
}

void Compare(const Instruction& instruction, Machine& machine) {
  const Value left = machine.Read(instruction.destination);
  const Value right = machine.Read(instruction.source);
  machine.compared.reset();
  if (left.kind != Kind::kNumber || right.kind != Kind::kNumber) return;
  const uint8_t bytes = instruction.destination.bytes;
  if (instruction.operation == Operation::kTest) {
    machine.compared = {Masked(left.offset & right.offset, bytes), 0, bytes};
  } else {
    machine.compared = {Masked(left.offset, bytes), Masked(right.offset, bytes), bytes};
  }
}

}  // namespace

Value Machine::Address(const Operand& operand) const { return AddressOf(*this, operand); }

Value Machine::Read(const Operand& operand) const {
  switch (operand.kind) {
    case Operand::Kind::kNumber:
      return Value::Number(operand.value);
    case Operand::Kind::kRegister: {
      const Value& value = registers[operand.base];
      if (operand.bytes == kWord) return value;
      if (value.kind == Kind::kNumber) return Value::Number(Masked(value.offset, operand.bytes));
      return {};
    }
    case Operand::Kind::kMemory: {
      const Value address = AddressOf(*this, operand);
      if (address.kind != Kind::kInput) return {};
      if (address.input != kStackPointer) {
        if (address == Value::Input(address.input) && leads_to_zero == address.input &&
            operand.bytes <= 4) {
          return Value::Number(0);
        }
        if (operand.bytes != kWord) return {};
        return {Kind::kLoaded, address.input, address.offset, 0};
      }
      const auto slot = slots.find(address.offset);
      if (slot == slots.end()) return {};
      const auto& [value, bytes] = slot->second;
      if (operand.bytes > bytes) return {};
      if (operand.bytes == kWord) return value;
      if (value.kind != Kind::kNumber) return {};
      return Value::Number(Masked(value.offset, operand.bytes));
    }
    default:
      return {};
  }
}

std::optional<sonde_place> Machine::Find(const Value& value) const {
  sonde_place place{};
  for (size_t i = 0; i < registers.size(); ++i) {
    if (registers[i] != value || i == kStackPointer) continue;
    place.from = static_cast<uint8_t>(i);
    return place;
  }
  for (const auto& [slot, held] : slots) {
    if (held.value != value || held.bytes != kWord) continue;
    for (const uint8_t base : {kStackPointer, kFramePointer}) {
      const Value& at = registers[base];
      if (at.kind != Kind::kInput || at.input != kStackPointer) continue;
      place.from = base;
      place.memory = 1;
      place.offset = static_cast<int32_t>(slot - at.offset);
      return place;
    }
  }
  // A pointer to something in it leads to it, too.
  for (size_t i = 0; i < registers.size(); ++i) {
    const Value& held = registers[i];
    const int64_t distance = value.offset - held.offset;
    const bool same = held.kind == Kind::kInput && value.kind == Kind::kInput &&
                      held.input == value.input && i != kStackPointer;
    if (!same || distance != static_cast<int32_t>(distance)) continue;
    place.from = static_cast<uint8_t>(i);
    place.offset = static_cast<int32_t>(distance);
    return place;
  }
  return std::nullopt;
}

void Execute(const Instruction& instruction, bool copies, Machine& machine) {
  const Operand& to = instruction.destination;
  const Operand& from = instruction.source;
  if (!instruction.keeps_flags) machine.compared.reset();
  switch (instruction.operation) {
    case Operation::kMove:
      // Into or out of what is no general register, nothing is known but that it is written.
      Write(machine, to,
            from.bytes == to.bytes || from.kind == Operand::Kind::kNumber ? machine.Read(from)
                                                                          : Value{});
      if (from.bytes < to.bytes && machine.Read(from).kind == Kind::kNumber) {
        Write(machine, to, machine.Read(from));  // extended; only small numbers are followed
      }
      break;
    case Operation::kLoadAddress:
      Write(machine, to, AddressOf(machine, from));
      break;
    case Operation::kAdd:
    case Operation::kSubtract: {
      const bool whole = to.kind == Operand::Kind::kRegister && to.bytes >= 4;
      Write(machine, to,
            whole ? Sum(machine.Read(to), machine.Read(from),
                        instruction.operation == Operation::kSubtract)
                  : Value{});
      break;
    }
    case Operation::kXor:
      Write(machine, to,
            to.kind == Operand::Kind::kRegister && from.kind == to.kind && from.base == to.base &&
                    to.bytes >= 4
                ? Value::Number(0)
                : Value{});
      break;
    case Operation::kConditionalMove:
      Write(machine, to, Joined(machine.Read(to), machine.Read(from)));
      break;
    case Operation::kPush:
      Push(machine, to.bytes == kWord ? machine.Read(to) : Value{});
      break;
    case Operation::kPop:
      Write(machine, to, Pop(machine));
      break;
    case Operation::kCompare:
    case Operation::kTest:
      Compare(instruction, machine);
      break;
    case Operation::kCall: {
      const Value copied_to = machine.registers[kArguments[0]];
      Forget(machine, kLostByCalls);
      if (copies) machine.registers[kResult] = copied_to;
      break;
    }
    case Operation::kNop:
      break;
    default:
      if (to.kind == Operand::Kind::kMemory) Write(machine, to, {});
      Forget(machine, instruction.writes);
      break;
  }
}

bool Join(Machine& machine, const Machine& other) {
  const Machine before = machine;
  for (size_t i = 0; i < machine.registers.size(); ++i) {
    machine.registers[i] = Joined(machine.registers[i], other.registers[i]);
  }
  for (auto at = machine.slots.begin(); at != machine.slots.end();) {
    const auto same = other.slots.find(at->first);
    const bool both = same != other.slots.end() && same->second.bytes == at->second.bytes;
    Value& value = at->second.value;
    value = both ? Joined(value, same->second.value) : Value{};
    at = value.kind == Kind::kUnknown ? machine.slots.erase(at) : std::next(at);
  }
  if (machine.compared != other.compared) machine.compared.reset();
  return !(machine == before);
}

std::optional<bool> Taken(uint8_t condition, const std::optional<Comparison>& compared) {
  if (!compared) return std::nullopt;
  const auto left = static_cast<uint64_t>(compared->left);
  const auto right = static_cast<uint64_t>(compared->right);
  switch (condition) {
    case 2:  // below
      return left < right;
    case 3:
      return left >= right;
    case 4:  // equal
      return left == right;
    case 5:
      return left != right;
    case 6:  // below or equal
      return left <= right;
    case 7:
      return left > right;
    default:
      return std::nullopt;
  }
}

}  // namespace sonde::binary
