// SPDX-License-Identifier: Apache-2.0
#include "binary/sites.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/flow.h"
#include "binary/machine.h"
#include "binary/references.h"
#include "binary/registers.h"
#include "sonde/abi/tls.h"

namespace sonde::binary {
namespace {

using Kind = Value::Kind;

// An object is none of these small offsets away from null, and a field none further from it.
constexpr int64_t kMaxField = 1 << 20;

bool IsField(int64_t offset) { return offset >= 0 && offset < kMaxField; }

Machine AtEntry() {
  Machine machine;
  for (size_t i = 0; i < machine.registers.size(); ++i)
    machine.registers[i] = Value::Input(static_cast<uint8_t>(i));
  return machine;
}

// Where calls and tail calls lead to that pass on the first two arguments.
std::vector<Callee> PassedOn(const Elf& elf, uint64_t caller) {
  std::vector<Callee> callees;
  Follow(elf, caller, {}, [&](const Instruction& instruction, const Machine& machine) {
    const auto target = instruction.target();
    const auto& at = machine.registers;
    const bool leaves = instruction.operation == Operation::kCall ||
                        (instruction.operation == Operation::kJump &&
                         at[kStackPointer] == Value::Input(kStackPointer));
    if (!leaves || !target || at[kArguments[0]] != Value::Input(kArguments[0]) ||
        at[kArguments[1]] != Value::Input(kArguments[1])) {
      return;
    }
    Callee callee{*target, std::nullopt};
    for (const uint8_t reg : {kArguments[3], kArguments[4]}) {
      if (!callee.count && at[reg].kind == Kind::kInput && at[reg].input == kStackPointer) {
        callee.count = reg;
      }
    }
    callees.push_back(callee);
  });
  return callees;
}

// What a call that passes on both the object and where to copy to says of the function it calls.
std::optional<CopySearch> PassedOn(const Instruction& instruction, const Machine& machine,
                                   const CopySearch& from) {
  const auto target = instruction.target();
  const bool leaves = instruction.operation == Operation::kCall ||
                      (instruction.operation == Operation::kJump &&
                       machine.registers[kStackPointer] == Value::Input(kStackPointer));
  if (!leaves || !target) return std::nullopt;
  CopySearch below{*target, Operand::kNoRegister, Operand::kNoRegister, {}};
  for (const uint8_t argument : kArguments) {
    const Value& value = machine.registers[argument];
    if (value == Value::Input(from.object)) below.object = argument;
    if (value == Value::Input(from.to)) below.to = argument;
    if (value.kind == Kind::kNumber) below.assumptions.numbers.push_back({argument, value.offset});
  }
  if (below.object == Operand::kNoRegister || below.to == Operand::kNoRegister) return std::nullopt;
  return below;
}

// Registers and stack slots that hold a number. Of an int, more than its 32 bits is read.
std::vector<sonde_place> PlacesOf(const Machine& machine, const Value& number) {
  std::vector<sonde_place> places;
  sonde_place place{};
  place.narrow = 1;
  for (uint8_t reg = 0; reg < kRegisterCount; ++reg) {
    place.from = reg;
    if (machine.registers[reg] == number) places.push_back(place);
  }
  place.memory = 1;
  for (const uint8_t base : {kStackPointer, kFramePointer}) {
    const Value& at = machine.registers[base];
    if (at.kind != Kind::kInput || at.input != kStackPointer) continue;
    place.from = base;
    for (const auto& [slot, held] : machine.slots) {
      if (held.value != number || held.bytes < sizeof(int32_t)) continue;
      place.offset = static_cast<int32_t>(slot - at.offset);
      places.push_back(place);
    }
  }
  return places;
}

bool Same(const sonde_place& one, const sonde_place& other) {
  return one.from == other.from && one.memory == other.memory && one.offset == other.offset;
}

// Functions in whose code `refers(code, address)` says so of the `length` bytes that stand at an
// address.
template <typename Refers>
std::vector<uint64_t> FunctionsThatRefer(const Elf& elf, size_t limit, size_t length,
                                         Refers refers) {
  constexpr uint64_t kMaxCode = 256U << 20;
  constexpr size_t kPiece = 1U << 20;
  std::set<uint64_t> functions;
  const uint64_t start = elf.SectionAddress(".text").value_or(0);
  for (uint64_t at = start; at - start < kMaxCode && functions.size() < limit;) {
    const std::string code = elf.Read(at, kPiece);
    if (code.size() < length) break;
    const std::string_view view = code;
    size_t i = 0;
    for (; i + length <= code.size() && functions.size() < limit; i += native::kInstructionStep) {
      if (!refers(view.substr(i, length), at + i)) continue;
      const auto function = elf.FunctionAt(at + i);
      if (function) functions.insert(function->start);
    }
    at += i;
  }
  return {functions.begin(), functions.end()};
}

}  // namespace

std::optional<uint64_t> CheapEntry(const Elf& elf, uint64_t function,
                                   std::initializer_list<uint8_t> inputs, bool at_entry) {
  constexpr size_t kLookAt = 24;
  if (!kOnlyEmulated) return function;
  Machine machine = AtEntry();
  uint64_t next = function;
  for (const Instruction& each : Disassemble(elf, function, function + 16 * kLookAt, kLookAt)) {
    if (each.address != next) return std::nullopt;
    next = each.next();
    const bool intact = std::ranges::all_of(
        inputs, [&](uint8_t input) { return machine.registers[input] == Value::Input(input); });
    const bool stack = machine.registers[kStackPointer] == Value::Input(kStackPointer);
    if (!intact || (at_entry && !stack)) return std::nullopt;
    if (each.emulated) return each.address;
    if (each.operation == Operation::kReturn || each.operation == Operation::kJump ||
        each.operation == Operation::kBranch) {
      return std::nullopt;
    }
    Execute(each, false, machine);
  }
  return std::nullopt;
}

std::vector<CopySite> CopySites(const Elf& elf, const CopySearch& search) {
  std::vector<CopySite> sites;
  bool certain = true;
  const auto visit = [&](const Instruction& instruction, const Machine& machine) {
    if (!CallsCopy(elf, instruction)) return;
    const Value& to = machine.registers[kArguments[0]];
    const Value& from = machine.registers[kArguments[1]];
    if (to.kind == Kind::kUnknown) certain = false;
    if (!to.FromInput(search.to) || from.FromInput(search.object)) return;
    const auto object = machine.Find(Value::Input(search.object));
    if (!object || !instruction.emulated) {
      certain = false;
      return;
    }
    sites.push_back({instruction.address, *object});
  };
  Follow(elf, search.function, search.assumptions, visit);
  if (!certain) sites.clear();
  return sites;
}

std::optional<sonde_place> PlaceOfInt(const Elf& elf, const CopySearch& search, uint8_t argument,
                                      uint64_t site) {
  // A number that code does not have by itself marks the way; where it is, 0 must be if it is 0.
  constexpr int64_t kMark = 0x5eed1e57;
  std::vector<sonde_place> places[2];
  for (const int64_t number : {kMark, int64_t{0}}) {
    Assumptions assumptions = search.assumptions;
    assumptions.numbers.push_back({argument, number});
    Follow(elf, search.function, assumptions,
           [&](const Instruction& instruction, const Machine& machine) {
             if (instruction.address != site) return;
             places[number == kMark ? 0 : 1] = PlacesOf(machine, Value::Number(number));
           });
  }
  const auto both = std::ranges::find_if(places[0], [&](const sonde_place& one) {
    return std::ranges::any_of(places[1],
                               [&](const sonde_place& other) { return Same(one, other); });
  });
  return both == places[0].end() ? std::nullopt : std::optional<sonde_place>(*both);
}

CopyBelow CopySitesBelow(const Elf& elf, const CopySearch& search) {
  constexpr size_t kMaxSearches = 24;
  std::vector<CopySearch> searches = {search};  // breadth first
  std::set<uint64_t> seen = {search.function};
  for (size_t i = 0; i < searches.size(); ++i) {
    const CopySearch here = searches[i];
    CopyBelow found{here.function, CopySites(elf, here)};
    if (!found.sites.empty()) return found;
    Follow(elf, here.function, here.assumptions,
           [&](const Instruction& instruction, const Machine& machine) {
             const auto below = PassedOn(instruction, machine, here);
             if (!below || searches.size() == kMaxSearches) return;
             if (elf.ImportAt(below->function).empty() && seen.insert(below->function).second) {
               searches.push_back(*below);
             }
           });
  }
  return {};
}

std::vector<uint64_t> FunctionsThatCall(const Elf& elf, uint64_t target, size_t limit) {
  return FunctionsThatRefer(
      elf, limit, native::kCallBytes,
      [&](std::string_view code, uint64_t at) { return native::CallTarget(code, at) == target; });
}

std::vector<uint64_t> FunctionsThatName(const Elf& elf, uint64_t address, size_t limit) {
  return FunctionsThatRefer(elf, limit, native::kNameBytes,
                            [&](std::string_view code, uint64_t at) {
                              return native::NamedAddress(code, at) == address;
                            });
}

std::optional<Callee> SharedCallee(const Elf& elf, uint64_t caller, uint64_t other) {
  const std::vector<Callee> one = PassedOn(elf, caller);
  const std::vector<Callee> two = PassedOn(elf, other);
  std::set<uint64_t> reached;
  for (const Callee& each : two) {
    reached.insert(each.address);
    // SSL_write_ex may only call SSL_write_ex2, which calls what is looked for.
    if (one.empty() || two.size() > 1) continue;
    for (const Callee& further : PassedOn(elf, each.address)) reached.insert(further.address);
  }
  const auto shared = std::ranges::find_if(
      one, [&](const Callee& callee) { return callee.count && reached.contains(callee.address); });
  return shared == one.end() ? std::nullopt : std::optional<Callee>(*shared);
}

std::optional<int32_t> ReturnedField(const Elf& elf, uint64_t accessor,
                                     const Assumptions& assumptions) {
  std::optional<int32_t> field;
  Follow(elf, accessor, assumptions, [&](const Instruction& instruction, const Machine& machine) {
    const Value& result = machine.registers[kResult];
    if (field || instruction.operation != Operation::kReturn || result.kind != Kind::kLoaded)
      return;
    if (result.input == kArguments[0] && result.offset == 0 && IsField(result.pointer)) {
      field = static_cast<int32_t>(result.pointer);
    }
  });
  return field;
}

std::optional<int32_t> FirstField(const Elf& elf, uint64_t accessor, uint8_t bytes, int32_t beyond,
                                  const Assumptions& assumptions) {
  std::optional<int32_t> field;
  Follow(elf, accessor, assumptions, [&](const Instruction& instruction, const Machine& machine) {
    const Operand& from = instruction.source;
    if (field || instruction.operation != Operation::kMove || from.kind != Operand::Kind::kMemory ||
        from.bytes != bytes) {
      return;
    }
    const Value address = machine.Address(from);
    if (address.kind == Kind::kInput && address.input == kArguments[0] && IsField(address.offset) &&
        address.offset >= beyond) {
      field = static_cast<int32_t>(address.offset);
    }
  });
  return field;
}

std::optional<FieldPath> CopiedField(const Elf& elf, uint64_t accessor,
                                     const Assumptions& assumptions) {
  std::optional<FieldPath> field;
  // Lower than the random lies nothing that is copied, and it lies aligned.
  constexpr int64_t kLowest = 8;
  const auto take = [&](const Value& address) {
    if (field || address.offset < kLowest || !IsField(address.offset)) return;
    if (address.kind == Kind::kInput && address.input == kArguments[0]) {
      field = FieldPath{SONDE_NOWHERE, static_cast<int32_t>(address.offset)};
    } else if (address.kind == Kind::kLoaded && address.input == kArguments[0] &&
               IsField(address.pointer)) {
      field =
          FieldPath{static_cast<int32_t>(address.pointer), static_cast<int32_t>(address.offset)};
    }
  };
  // Called, in a tail call, or inlined: either way its address is in the register of the source.
  Follow(elf, accessor, assumptions, [&](const Instruction& instruction, const Machine& machine) {
    if (instruction.operation == Operation::kCall || instruction.operation == Operation::kJump) {
      take(machine.registers[kArguments[1]]);
    } else if (instruction.operation == Operation::kLoadAddress) {
      take(machine.Address(instruction.source));
    }
  });
  return field;
}

std::optional<uint64_t> ReturnedNumber(const Elf& elf, uint64_t function) {
  std::optional<uint64_t> number;
  Follow(elf, function, {}, [&](const Instruction& instruction, const Machine& machine) {
    const Value& result = machine.registers[kResult];
    if (instruction.operation != Operation::kReturn || result.kind != Kind::kNumber) return;
    number = static_cast<uint64_t>(result.offset);
  });
  return number;
}

}  // namespace sonde::binary
