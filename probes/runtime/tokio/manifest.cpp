// SPDX-License-Identifier: Apache-2.0
// tokio, linked into Rust programs. Functions are found by their mangled names, so a stripped
// program is only recognised; what they say of offsets is read from their code. NOTES.md has the
// evidence.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/sites.h"
#include "probes/runtime/runtime_points.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Instruction;
using binary::Operand;
using binary::Operation;
using Symbols = std::vector<std::pair<std::string, binary::Symbol>>;

// The same in both manglings: each identifier is preceded by its length.
constexpr std::string_view kContext = "5tokio7runtime7context7CONTEXT";
constexpr std::string_view kSet = "5tokio7runtime7context19set_current_task_id";
constexpr std::string_view kDrop = "TaskIdGuard";  // has that inlined, with LTO
constexpr std::string_view kWake = "5tokio7runtime4task5waker11wake_by_ref";
constexpr std::string_view kBlocks = "5tokio7runtime8blocking4pool7Spawner10spawn_task";
constexpr std::string_view kWakeByValue = "5tokio7runtime4task5waker11wake_by_val";

constexpr uint8_t kWord = 8;
constexpr size_t kMaxCopies = 16;
constexpr size_t kMaxInstructions = 512;
constexpr uint16_t kLostByCalls = 0x0f37;  // ax, dx, cx, si, di, r8 to r11

// What registers hold, as far as it is wanted, from one instruction to the next; jumps are not
// followed: the functions looked at are short, and what is wanted is said before or after them.
template <typename T>
class Held {
 public:
  std::optional<T>& at(uint8_t reg) { return values_.at(reg); }
  std::optional<T> Of(const Operand& operand) const {
    if (operand.kind != Operand::Kind::kRegister || operand.bytes != kWord) return std::nullopt;
    return values_.at(operand.base);
  }
  // `value`: what the instruction writes to its first operand.
  void Step(const Instruction& instruction, std::optional<T> value) {
    const bool call = instruction.operation == Operation::kCall;
    const unsigned lost = instruction.writes | (call ? kLostByCalls : 0U);
    if (instruction.operation == Operation::kMove && !value) value = Of(instruction.source);
    for (size_t i = 0; i < values_.size(); ++i) {
      if ((lost >> i & 1U) != 0) values_.at(i).reset();
    }
    const Operand& to = instruction.destination;
    if (value && !call && to.kind == Operand::Kind::kRegister) values_.at(to.base) = value;
  }

 private:
  std::array<std::optional<T>, SONDE_REGISTER_COUNT> values_;
};

bool IsPlain(const Operand& operand) {
  return operand.kind == Operand::Kind::kMemory && operand.base != Operand::kNoRegister &&
         !operand.indexed && operand.bytes == kWord;
}

// Where a setter of the current task puts its argument: distance from the thread's pointer. The id
// is one word, 0 = none; until tokio 1.38 it is two, of which the first says whether there is one,
// and the second is 0 if not.
std::optional<int64_t> TaskPlace(const std::vector<Instruction>& code) {
  Held<int64_t> thread;  // the register is the thread's pointer + this
  Held<int> argument;    // the register is this word of the argument
  argument.at(SONDE_REGISTER_DI) = 0;
  argument.at(SONDE_REGISTER_SI) = 1;
  std::array<std::optional<int64_t>, 2> places;
  for (const Instruction& instruction : code) {
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    const bool move = instruction.operation == Operation::kMove;
    if (move && to.kind == Operand::Kind::kMemory && to.bytes == kWord && argument.Of(from)) {
      std::optional<int64_t> place;
      if (to.thread && to.base == Operand::kNoRegister) place = to.value;
      if (IsPlain(to) && thread.at(to.base)) place = *thread.at(to.base) + to.value;
      if (place) places.at(static_cast<size_t>(*argument.Of(from))) = place;
    }
    std::optional<int64_t> address;
    if (move && from.thread && from.base == Operand::kNoRegister && from.value == 0) address = 0;
    if (instruction.operation == Operation::kLoadAddress && from.base != Operand::kNoRegister &&
        !from.indexed && thread.at(from.base)) {
      address = *thread.at(from.base) + from.value;
    }
    thread.Step(instruction, address);
    argument.Step(instruction, std::nullopt);
  }
  const auto& [first, second] = places;
  if (!first || (second && *second != *first + kWord)) return std::nullopt;
  return second ? second : first;
}

Result<int32_t> CurrentTask(const binary::Elf& elf) {
  const Symbols variables = elf.FindThreadLocals(kContext, kMaxCopies);
  if (variables.size() > 1) return absl::UnimplementedError("it has several versions of tokio");
  const auto bytes = elf.ThreadBytes();
  if (variables.empty() || !bytes) {
    return absl::UnimplementedError("the thread-local that names the current task has no symbol");
  }
  constexpr int64_t kMaxContext = 1024;
  const auto context = static_cast<int64_t>(variables[0].second.address - *bytes);
  for (const std::string_view name : {kSet, kDrop}) {
    for (const auto& [symbol_name, symbol] : elf.FindContaining(name, kMaxCopies)) {
      const auto place = TaskPlace(
          binary::Disassemble(elf, symbol.address, symbol.address + symbol.size, kMaxInstructions));
      if (!place || *place < context || *place >= context + kMaxContext || *place > -kWord) {
        continue;
      }
      return static_cast<int32_t>(*place);
    }
  }
  return absl::UnimplementedError(
      "its code does not tell where the current task's id is: it is a library, or built without "
      "optimisation");
}

// Where OwnedTasks::bind, or what it was inlined into, has the header of a new task.
struct Birth {
  int32_t vtable;
  int32_t id_offset;
  uint64_t address;  // an emulated instruction at which
  uint8_t header;    // this register has it
};

// bind writes who owns a task, then chooses a shard by the task's id: `mov [h + owner], a;
// mov b, [h + vtable]; mov b, [b + id_offset]; mov id, [h + b]`. Registers are followed by numbers
// that stand for what they hold.
class BirthSearch {
 public:
  BirthSearch() {
    for (int& held : held_) held = fresh_++;
  }

  std::optional<Birth> In(const std::vector<Instruction>& code) {
    for (const Instruction& instruction : code) {
      if (header_ && instruction.emulated) return At(instruction.address, *header_);
      if (instruction.operation == Operation::kReturn) header_.reset();
      Look(instruction);
      Step(instruction);
    }
    return std::nullopt;
  }

 private:
  // What a value is: what is at `offset` in the value `of`.
  struct Field {
    int of;
    int32_t offset;
  };

  std::optional<Birth> At(uint64_t address, int header) const {
    const auto reg = std::ranges::find(held_, header);
    if (reg == held_.end()) return std::nullopt;
    return Birth{vtable_, id_offset_, address, static_cast<uint8_t>(reg - held_.begin())};
  }

  static bool IsField(const Operand& operand) {
    constexpr int64_t kMaxOffset = 512;
    return IsPlain(operand) && operand.value >= 0 && operand.value < kMaxOffset &&
           operand.value % kWord == 0;
  }

  void Look(const Instruction& instruction) {
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    loaded_.reset();
    if (instruction.operation != Operation::kMove) return;
    if (IsField(to)) owned_.insert(held_.at(to.base));
    if (IsField(from)) {
      loaded_ = Field{held_.at(from.base), static_cast<int32_t>(from.value)};
    } else if (from.kind == Operand::Kind::kMemory && from.indexed && !from.thread &&
               from.base != Operand::kNoRegister && from.value == 0 && from.bytes == kWord) {
      LookAtId(held_.at(from.base));
    }
  }

  // A word at the sum of two registers, of which `one` is in the first: is the other an offset out
  // of the first's vtable, or the other way round?
  void LookAtId(int one) {
    for (const int offset : held_) {
      const auto in_vtable = fields_.find(offset);
      if (in_vtable == fields_.end()) continue;
      const auto in_header = fields_.find(in_vtable->second.of);
      if (in_header == fields_.end()) continue;
      const int header = in_header->second.of;
      if ((one != header && one != offset) || !owned_.contains(header)) continue;
      header_ = header;
      vtable_ = in_header->second.offset;
      id_offset_ = in_vtable->second.offset;
    }
  }

  void Step(const Instruction& instruction) {
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    const bool whole = to.kind == Operand::Kind::kRegister && to.bytes == kWord;
    const bool copy = instruction.operation == Operation::kMove && whole &&
                      from.kind == Operand::Kind::kRegister && from.bytes == kWord;
    const int value = copy ? held_.at(from.base) : fresh_++;
    const unsigned lost =
        instruction.writes | (instruction.operation == Operation::kCall ? kLostByCalls : 0U);
    for (size_t i = 0; i < held_.size(); ++i) {
      if ((lost >> i & 1U) != 0) held_.at(i) = fresh_++;
    }
    if (!whole || instruction.operation != Operation::kMove) return;
    held_.at(to.base) = value;
    if (loaded_) fields_.emplace(value, *loaded_);
  }

  int fresh_ = 0;
  std::array<int, SONDE_REGISTER_COUNT> held_{};
  std::map<int, Field> fields_;
  std::set<int> owned_;  // values something was written behind
  std::optional<Field> loaded_;
  std::optional<int> header_;
  int32_t vtable_ = 0;
  int32_t id_offset_ = 0;
};

struct BirthPlace {
  binary::Symbol function;
  Birth birth;
};

// All of them: one per scheduler, and per crate that spawns only one kind of future.
std::vector<BirthPlace> Births(const binary::Elf& elf) {
  constexpr size_t kMaxFunctions = 512;
  std::vector<BirthPlace> places;
  for (const std::string_view part : {"OwnedTasks", "13bind_new_task", "6Handle5spawn"}) {
    for (const auto& [name, symbol] : elf.FindContaining(part, kMaxFunctions)) {
      if (part == "OwnedTasks" && name.find("bind") == std::string::npos) continue;
      if (name.find("5tokio7runtime") == std::string::npos) continue;
      const auto birth = BirthSearch().In(
          binary::Disassemble(elf, symbol.address, symbol.address + symbol.size, kMaxInstructions));
      const bool known = std::ranges::any_of(places, [&](const BirthPlace& other) {
        return birth && other.birth.address == birth->address;
      });
      if (birth && !known && places.size() < kMaxCopies) places.push_back({symbol, *birth});
    }
  }
  return places;
}

// Adds a point in each of the functions, where the header is still in the register that it came in.
bool AddPoints(const binary::Elf& elf, const Symbols& functions, std::string_view readable,
               sonde_runtime_event event, uint8_t header, RuntimePlan& plan) {
  bool any = false;
  for (const auto& [name, symbol] : functions) {
    const auto address = binary::CheapEntry(elf, symbol.address, {header}, false);
    if (!address) return false;
    RuntimePoint point;
    point.event = event;
    point.subject = {header, 0, 0, 0, 0};
    any = AddPoint(elf, symbol.address, readable, *address, std::move(point), plan) || any;
  }
  return any;
}

Status AddBirths(const binary::Elf& elf, RuntimePlan& plan) {
  const auto births = Births(elf);
  if (births.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("tokio ", plan.version,
                     " does not tell where a task has its id: it is older than 1.35, or built "
                     "without optimisation"));
  }
  const Birth& first = births[0].birth;
  plan.layout.tokio.vtable = first.vtable;
  plan.layout.tokio.id_offset = first.id_offset;
  for (const auto& [function, birth] : births) {
    if (birth.vtable != first.vtable || birth.id_offset != first.id_offset) {
      return absl::UnimplementedError("its tasks have their ids in several places");
    }
    RuntimePoint point;
    point.event = SONDE_RUNTIME_TOKIO_BORN;
    point.subject = {birth.header, 0, 0, 0, 0};
    AddPoint(elf, function.address, "tokio OwnedTasks::bind", birth.address, std::move(point),
             plan);
  }
  return absl::OkStatus();
}

Status AddWakes(const binary::Elf& elf, RuntimePlan& plan) {
  const bool both =
      AddPoints(elf, elf.FindContaining(kWake, kMaxCopies), "tokio wake_by_ref",
                SONDE_RUNTIME_TOKIO_WOKEN, SONDE_REGISTER_DI, plan) &&
      AddPoints(elf, elf.FindContaining(kWakeByValue, kMaxCopies), "tokio wake_by_val",
                SONDE_RUNTIME_TOKIO_WOKEN_BY_VALUE, SONDE_REGISTER_DI, plan);
  if (both) return absl::OkStatus();
  return absl::UnimplementedError("its wakers have no instruction that can be probed");
}

// Paths of the crate's files stand in its panic messages: ".../tokio-1.54.1/src/task/mod.rs".
std::string Version(const binary::Elf& elf) {
  constexpr std::string_view kPath = "/tokio-";
  std::string version = elf.FindVersion(kPath);
  return version.empty() ? version : version.substr(kPath.size());
}

Result<RuntimePlan> Resolve(const binary::Elf& elf) {
  if (elf.Section(".comment").find("rustc version") == std::string::npos) {
    return absl::NotFoundError("no Rust");
  }
  RuntimePlan plan;
  plan.version = Version(elf);
  if (elf.FindContaining(kWake, 1).empty()) {
    if (plan.version.empty()) return absl::NotFoundError("no tokio");
    return absl::UnimplementedError(
        absl::StrCat(elf.has_symtab() ? "" : "stripped: ", "tokio ", plan.version,
                     " can be read only where the program keeps its symbols"));
  }
  plan.layout.kind = SONDE_RUNTIME_TOKIO;
  if (auto status = AddBirths(elf, plan); !status.ok()) return status;
  const auto task = CurrentTask(elf);
  if (!task.ok()) return task.status();
  plan.layout.tokio.task = *task;
  if (auto status = AddWakes(elf, plan); !status.ok()) return status;
  // spawn_task(self, task, handle): where it is not, nothing but spawn_blocking is missed.
  AddPoints(elf, elf.FindContaining(kBlocks, kMaxCopies), "tokio spawn_blocking",
            SONDE_RUNTIME_TOKIO_BLOCKS, SONDE_REGISTER_SI, plan);
  return plan;
}

}  // namespace

const Runtime kTokio = {.name = "tokio", .kind = SONDE_RUNTIME_TOKIO, .resolve = Resolve};

}  // namespace sonde::probe
