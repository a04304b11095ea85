// SPDX-License-Identifier: Apache-2.0
// Follows what a function got as arguments through its registers and stack slots, over all paths:
// what is said of an instruction holds whenever it is reached. In C's calling convention
// (registers.h).
//
// Taken for granted of compiled code: calls keep the registers they must keep; a slot a value was
// spilled to is written through the stack or frame pointer only; and of "a pointer or null", what
// is used as a pointer is the pointer.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/registers.h"
#include "sonde/abi/tls.h"

namespace sonde::binary {

struct Value {
  enum class Kind : uint8_t {
    kUnknown,
    kInput,   // what register `input` held at the entry, + offset
    kNear,    // the same + something unknown
    kLoaded,  // the pointer in memory at input + pointer, + offset
    kNumber,  // offset
  };
  Kind kind = Kind::kUnknown;
  uint8_t input = 0;
  int64_t pointer = 0;
  int64_t offset = 0;

  static Value Input(uint8_t input, int64_t offset = 0) { return {Kind::kInput, input, 0, offset}; }
  static Value Number(int64_t number) { return {Kind::kNumber, 0, 0, number}; }
  // Derived from the register's value at entry, exactly or not.
  bool FromInput(uint8_t from) const {
    return (kind == Kind::kInput || kind == Kind::kNear) && input == from;
  }
  bool operator==(const Value&) const = default;
};

struct Comparison {
  int64_t left = 0;
  int64_t right = 0;
  uint8_t bytes = 0;
  bool operator==(const Comparison&) const = default;
};

// What was stored to the stack.
struct Slot {
  Value value;
  uint8_t bytes = 0;
  bool operator==(const Slot&) const = default;
};

// Before an instruction.
struct Machine {
  std::array<Value, kRegisterCount> registers;
  std::map<int64_t, Slot> slots;  // by distance from the stack pointer at entry
  std::optional<Comparison> compared;
  std::optional<uint8_t> leads_to_zero;  // as assumed
  bool operator==(const Machine&) const = default;

  // Of an operand, as far as it is known.
  Value Read(const Operand& operand) const;
  // The address that a memory operand stands for.
  Value Address(const Operand& operand) const;
  // Where to find a value: a register if there is one, else a stack slot, else a register that is a
  // known distance from it.
  std::optional<sonde_place> Find(const Value& value) const;
};

// "This register holds this number at the entry": paths on which it does not are left out.
struct Assumption {
  uint8_t input = 0;
  int64_t number = 0;
};

struct Assumptions {
  std::vector<Assumption> numbers;
  // The argument that points to something whose first int is 0.
  std::optional<uint8_t> leads_to_zero;
};

// Whether it calls memcpy, memmove or __memcpy_chk, imported (not one that is linked in).
bool CallsCopy(const Elf& elf, const Instruction& instruction);

// Calls visit(instruction, machine before it) for every instruction that may be reached, in the
// order of addresses. Includes parts of the function that were split off (cold ones), not what it
// calls. False if not all of it could be followed: a jump table, or more than 16,384 instructions;
// or if it is too intricate, which no real code was: then nothing is visited.
bool Follow(const Elf& elf, uint64_t function, const Assumptions& assumptions,
            const std::function<void(const Instruction&, const Machine&)>& visit);

}  // namespace sonde::binary
