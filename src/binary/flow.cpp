// SPDX-License-Identifier: Apache-2.0
// A data-flow analysis to a fixed point. States are kept where jumps lead to and are joined there;
// what two paths disagree on becomes kNear or kUnknown, so every state changes a few times at most.
#include "binary/flow.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/machine.h"
#include "binary/registers.h"

namespace sonde::binary {
namespace {

constexpr size_t kMaxParts = 12;
constexpr uint64_t kUnboundedBytes = 16U << 10;
constexpr size_t kMaxInstructions = 16384;
// Instructions evaluated, and slots joined: functions of TLS libraries take less than 20,000.
constexpr size_t kMaxSteps = 60'000;

class Follower {
 public:
  Follower(const Elf& elf, uint64_t entry, const Assumptions& assumptions)
      : elf_(elf), entry_(entry) {
    for (size_t i = 0; i < start_.registers.size(); ++i)
      start_.registers[i] = Value::Input(static_cast<uint8_t>(i));
    start_.leads_to_zero = assumptions.leads_to_zero;
    for (const Assumption& each : assumptions.numbers) {
      start_.registers[each.input] = Value::Number(each.number);
    }
  }

  bool Run() {
    if (!AddPart(entry_)) return false;
    // A part that is found later may jump into the middle of what was seen as straight: again.
    do {
      again_ = false;
      states_.clear();
      Reach(entry_, start_);
      while (!again_ && !waiting_.empty()) {
        const uint64_t leader = *waiting_.begin();
        waiting_.erase(waiting_.begin());
        Walk(leader, nullptr);
        if (steps_ > kMaxSteps) return Abandon();
      }
      waiting_.clear();
    } while (again_);
    return complete_;
  }

  void Visit(const std::function<void(const Instruction&, const Machine&)>& visit) {
    const auto states = states_;
    for (const auto& [leader, state] : states) Walk(leader, &visit);
  }

 private:
  // Half-way states say too much: none.
  bool Abandon() {
    states_.clear();
    return false;
  }

  // Reads the function that `address` lies in. False if it has no bounds, or it is too much.
  bool AddPart(uint64_t address) {
    if (parts_ == kMaxParts) return false;
    auto code = DisassembleFunction(elf_, address);
    if (code.empty()) {  // no bounds: what is not reached does not matter
      code = Disassemble(elf_, address, address + kUnboundedBytes, kMaxInstructions);
    }
    if (code.empty() || code_.size() + code.size() > kMaxInstructions) return false;
    ++parts_;
    for (const Instruction& instruction : code) {
      code_.emplace(instruction.address, instruction);
      if (instruction.operation == Operation::kCall) continue;
      const auto target = instruction.target();
      if (target) leaders_.insert(*target);
    }
    return code_.contains(address);
  }

  void Reach(uint64_t address, const Machine& machine) {
    steps_ += 1 + machine.slots.size();
    const auto [at, is_new] = states_.emplace(address, machine);
    if (is_new || Join(at->second, machine)) waiting_.insert(address);
  }

  // Follows a jump out of what was read so far: into a part of the same function, which has the
  // same frame. With an empty frame it is a call in disguise.
  bool Enter(uint64_t target, const Machine& machine) {
    if (code_.contains(target)) return true;
    if (machine.registers[kStackPointer] == Value::Input(kStackPointer)) return false;
    const size_t before = code_.size();
    if (!AddPart(target)) complete_ = false;
    again_ = again_ || code_.size() > before;
    return false;
  }

  // From a leader to the next, or to where control leaves. With `visit`, only tells what is there.
  void Walk(uint64_t leader, const std::function<void(const Instruction&, const Machine&)>* visit) {
    Machine machine = states_.at(leader);
    auto at = code_.find(leader);
    for (; at != code_.end() && !again_; at = code_.find(at->second.next())) {
      const Instruction& instruction = at->second;
      if (instruction.address != leader && leaders_.contains(instruction.address)) {
        if (visit == nullptr) Reach(instruction.address, machine);
        return;
      }
      ++steps_;
      if (visit != nullptr) (*visit)(instruction, machine);
      if (!Step(instruction, machine, visit == nullptr)) return;
    }
  }

  // False if control does not go on to the next instruction.
  bool Step(const Instruction& instruction, Machine& machine, bool spread) {
    switch (instruction.operation) {
      case Operation::kReturn:
        return false;
      case Operation::kJump:
      case Operation::kBranch: {
        const auto target = instruction.target();
        const auto taken = instruction.operation == Operation::kJump
                               ? std::optional<bool>(true)
                               : Taken(instruction.condition, machine.compared);
        if (!instruction.keeps_flags) machine.compared.reset();
        if (!target && machine.registers[kStackPointer] != Value::Input(kStackPointer)) {
          complete_ = false;
        }
        if (spread && target && taken.value_or(true) && Enter(*target, machine)) {
          Reach(*target, machine);
        }
        return !taken.value_or(false);
      }
      default:
        Execute(instruction, Copies(instruction), machine);
        return true;
    }
  }

  bool Copies(const Instruction& instruction) {
    if (instruction.operation != Operation::kCall) return false;
    const auto [at, is_new] = copies_.emplace(instruction.address, false);
    if (is_new) at->second = CallsCopy(elf_, instruction);
    return at->second;
  }

  const Elf& elf_;
  const uint64_t entry_;
  Machine start_;
  std::map<uint64_t, Instruction> code_;
  std::set<uint64_t> leaders_;
  std::map<uint64_t, Machine> states_;  // at leaders
  std::set<uint64_t> waiting_;
  std::map<uint64_t, bool> copies_;  // by address of the call
  size_t parts_ = 0;
  size_t steps_ = 0;
  bool again_ = false;
  bool complete_ = true;
};

}  // namespace

bool CallsCopy(const Elf& elf, const Instruction& instruction) {
  if (instruction.operation != Operation::kCall) return false;
  const auto target = instruction.target();
  std::string import;
  if (target) {
    import = elf.ImportAt(*target);
  } else if (instruction.destination.kind == Operand::Kind::kMemory &&
             instruction.destination.base == Operand::kNoRegister) {
    import = elf.ImportOfSlot(static_cast<uint64_t>(instruction.destination.value));
  }
  return import == "memcpy" || import == "memmove" || import == "__memcpy_chk";
}

bool Follow(const Elf& elf, uint64_t function, const Assumptions& assumptions,
            const std::function<void(const Instruction&, const Machine&)>& visit) {
  Follower follower(elf, function, assumptions);
  const bool complete = follower.Run();
  follower.Visit(visit);
  return complete;
}

}  // namespace sonde::binary
