// SPDX-License-Identifier: Apache-2.0
#include "probes/runtime/go/fields.h"

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "binary/code.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"

namespace sonde::probe {
namespace {

using binary::Instruction;
using binary::Operand;
using binary::Operation;
using Code = std::vector<Instruction>;

constexpr uint8_t kG = 14;  // r14: the current g, in all code that is compiled
constexpr uint8_t kWord = 8;

// From Go 1.`minor` on.
struct Fields {
  int minor;
  sonde_go_layout at;
};

//    g, goid, parent, waiting, sudog.g, next, waitlink, c, recvq, m, m.curg
constexpr std::array<Fields, 5> kFields = {{
    {18, {0, 152, SONDE_NOWHERE, 328, 0, 8, 64, 80, 56, 48, 192}},
    {21, {0, 152, 272, 312, 0, 8, 64, 80, 56, 48, 192}},
    {23, {0, 160, 280, 320, 0, 8, 64, 80, 64, 48, 192}},
    {25, {0, 152, 272, 312, 0, 8, 64, 80, 64, 48, 184}},
    {26, {0, 152, 280, 320, 0, 8, 72, 96, 64, 48, 184}},
}};
// The kernel side reads both at once.
static_assert(std::ranges::all_of(kFields, [](const Fields& fields) {
  return fields.at.sudog_next == fields.at.sudog_goroutine + kWord;
}));
constexpr int kNewestTried = 26;

bool IsField(const Operand& operand, int64_t offset) {
  return operand.kind == Operand::Kind::kMemory && operand.bytes == kWord && !operand.indexed &&
         operand.base != Operand::kNoRegister && operand.base != SONDE_REGISTER_SP &&
         operand.value == offset;
}

bool IsRegister(const Operand& operand) {
  return operand.kind == Operand::Kind::kRegister && operand.bytes == kWord;
}

bool Writes(const Instruction& instruction, uint8_t number) {
  return (instruction.writes >> number & 1U) != 0;
}

bool StoresRegister(const Instruction& instruction, int64_t offset) {
  return instruction.operation == Operation::kMove && IsField(instruction.destination, offset) &&
         IsRegister(instruction.source);
}

bool StoresZero(const Instruction& instruction, int64_t offset) {
  return instruction.operation == Operation::kMove && IsField(instruction.destination, offset) &&
         instruction.source.kind == Operand::Kind::kNumber && instruction.source.value == 0;
}

// Whether `is` holds for one of the `count` instructions from `from` on.
template <typename Is>
bool Any(const Code& code, size_t from, size_t count, Is is) {
  const size_t end = std::min(code.size(), from + count);
  return from < end && std::any_of(code.begin() + static_cast<ptrdiff_t>(from),
                                   code.begin() + static_cast<ptrdiff_t>(end), is);
}

// goroutineheader prints g.goid: `mov r, [g + goid]; mov [sp + x], r`.
bool PrintsGoid(const Code& code, const sonde_go_layout& at) {
  for (size_t i = 0; i + 1 < code.size(); ++i) {
    const Instruction& store = code[i + 1];
    if (code[i].operation == Operation::kMove && IsField(code[i].source, at.goid) &&
        store.operation == Operation::kMove && IsRegister(store.source) &&
        store.source.base == code[i].destination.base &&
        store.destination.base == SONDE_REGISTER_SP) {
      return true;
    }
  }
  return false;
}

// newproc1: newg.goid = number; and since Go 1.21, newg.parentGoid = callergp.goid.
bool NumbersNewGoroutine(const Code& code, const sonde_go_layout& at) {
  const bool goid = Any(code, 0, code.size(), [&](const Instruction& instruction) {
    return StoresRegister(instruction, at.goid);
  });
  if (!goid || at.parent_goid == SONDE_NOWHERE) return goid;
  constexpr size_t kNear = 8;
  for (size_t i = 0; i < code.size(); ++i) {
    if (code[i].operation != Operation::kMove || !IsField(code[i].source, at.goid)) continue;
    const uint8_t held = code[i].destination.base;
    for (size_t next = i + 1; next < code.size() && next <= i + kNear; ++next) {
      if (StoresRegister(code[next], at.parent_goid) && code[next].source.base == held) return true;
      if (Writes(code[next], held)) break;
    }
  }
  return false;
}

// chanrecv, to wait for a value: mysg.waitlink = nil; gp.waiting = mysg; mysg.g = gp; enqueue; and
// after that: if mysg != gp.waiting { throw }; gp.waiting = nil.
bool Waits(const Code& code, const sonde_go_layout& at) {
  constexpr size_t kBefore = 32;
  for (size_t i = 0; i < code.size(); ++i) {
    if (!StoresRegister(code[i], at.waiting)) continue;
    const uint8_t sudog = code[i].source.base;
    const uint8_t g = code[i].destination.base;
    const size_t before = i > kBefore ? i - kBefore : 0;
    const bool unlinked = Any(code, before, i - before, [&](const Instruction& instruction) {
      return StoresZero(instruction, at.sudog_waitlink) && instruction.destination.base == sudog;
    });
    const bool owned = Any(code, i + 1, 3, [&](const Instruction& instruction) {
      return StoresRegister(instruction, at.sudog_goroutine) &&
             instruction.destination.base == sudog && instruction.source.base == g;
    });
    const bool compared = Any(code, i + 1, code.size(), [&](const Instruction& instruction) {
      return instruction.operation == Operation::kCompare &&
             (IsField(instruction.destination, at.waiting) ||
              IsField(instruction.source, at.waiting));
    });
    const bool cleared = Any(code, i + 1, code.size(), [&](const Instruction& instruction) {
      return StoresZero(instruction, at.waiting);
    });
    if (unlinked && owned && compared && cleared) return true;
  }
  return false;
}

// The same: c.recvq.enqueue(mysg). Inlined, if the queue is empty: first = mysg, last = mysg.
bool QueuesReceiver(const Code& code, const sonde_go_layout& at, uint64_t enqueue) {
  constexpr size_t kNear = 6;
  for (size_t i = 0; i < code.size(); ++i) {
    const Operand& to = code[i].destination;
    if (StoresRegister(code[i], at.channel_receivers)) {
      const bool last = Any(code, i + 1, kNear, [&](const Instruction& instruction) {
        return StoresRegister(instruction, at.channel_receivers + kWord) &&
               instruction.destination.base == to.base &&
               instruction.source.base == code[i].source.base;
      });
      if (last) return true;
    }
    const Operand& from = code[i].source;
    const bool address =
        (code[i].operation == Operation::kLoadAddress && from.value == at.channel_receivers &&
         from.base != SONDE_REGISTER_SP) ||
        (code[i].operation == Operation::kAdd && from.kind == Operand::Kind::kNumber &&
         from.value == at.channel_receivers);
    if (address && Any(code, i + 1, kNear, [&](const Instruction& instruction) {
          return instruction.operation == Operation::kCall && instruction.target() == enqueue;
        })) {
      return true;
    }
  }
  return false;
}

// releaseSudog begins with checks of elem, isSelect (a byte), next, prev, waitlink and c for nil,
// then looks at g. Without optimisation c.get() is called: c is a pair then, of which the second
// word is meant.
bool ReleasesSudog(const Code& code, const sonde_go_layout& at) {
  std::vector<int64_t> fields;
  for (const Instruction& instruction : code) {
    for (const Operand& operand : {instruction.destination, instruction.source}) {
      if (operand.kind == Operand::Kind::kMemory && operand.base == kG) {
        const std::array<int64_t, 4> expected = {at.sudog_next, at.sudog_next + kWord,
                                                 at.sudog_waitlink, at.sudog_channel};
        return fields.size() == expected.size() + 1 &&
               std::equal(expected.begin(), expected.end(), std::next(fields.begin()));
      }
      if (IsField(operand, operand.value) && operand.base != SONDE_REGISTER_BP) {
        fields.push_back(operand.value);
      }
    }
    if (instruction.operation == Operation::kAdd &&
        instruction.destination.base == SONDE_REGISTER_AX &&
        instruction.source.kind == Operand::Kind::kNumber) {
      fields.push_back(instruction.source.value + kWord);
    }
    if (fields.size() > 8) break;
  }
  return false;
}

// What a set of fields is contradicted by; empty = nothing.
std::string_view Contradiction(const GoRuntimeCode& code, const sonde_go_layout& at) {
  if (!PrintsGoid(code.header, at)) return "runtime.goroutineheader";
  if (!NumbersNewGoroutine(code.create, at)) return "runtime.newproc1";
  if (!Waits(code.receive, at)) return "runtime.chanrecv";
  if (!QueuesReceiver(code.receive, at, code.enqueue)) return "runtime.chanrecv";
  if (!ReleasesSudog(code.release, at)) return "runtime.releaseSudog";
  return {};
}

// "go1.26.8", "go1.26rc1" -> 26
std::optional<int> Minor(std::string_view version) {
  constexpr std::string_view kOne = "go1.";
  if (!version.starts_with(kOne)) return std::nullopt;
  version.remove_prefix(kOne.size());
  const size_t digits = std::min(version.size(), version.find_first_not_of("0123456789"));
  int minor = 0;
  if (!absl::SimpleAtoi(std::string(version.substr(0, digits)), &minor)) return std::nullopt;
  return minor;
}

}  // namespace

// The version's own fields, or if the program hides its version, the newest that fit. Of versions
// that are newer than this table, the code alone can tell whether they changed.
Result<sonde_go_layout> GoFields(const GoRuntimeCode& code, std::string_view version) {
  const auto minor = Minor(version);
  if (minor && *minor < kFields.front().minor) {
    return absl::UnimplementedError(absl::StrCat(std::string(version), " is older than Go 1.18"));
  }
  std::string_view contradiction;
  for (const Fields& fields : std::views::reverse(kFields)) {
    if (minor && *minor < fields.minor) continue;
    contradiction = Contradiction(code, fields.at);
    if (contradiction.empty()) return fields.at;
    if (minor) break;
  }
  return absl::UnimplementedError(
      absl::StrCat(std::string(contradiction), " uses other fields than ",
                   minor && *minor <= kNewestTried ? std::string(version) : "a known version",
                   " has: it is built without optimisation, changed, or too new"));
}

}  // namespace sonde::probe
