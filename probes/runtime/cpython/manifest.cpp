// SPDX-License-Identifier: Apache-2.0
// CPython, in libpython or linked into a program. Where thread states and their contexts are comes
// from a table by version or, from 3.13 on, from what _PyRuntime says of itself; small exported
// functions must agree. NOTES.md has the evidence.
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
#include "binary/sites.h"
#include "probes/runtime/cpython/queue.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Elf;
using binary::Instruction;
using binary::Operand;
using binary::Operation;
using binary::Symbol;

struct Symbols {
  std::optional<Symbol> runtime;
  std::optional<Symbol> copy;
  std::optional<Symbol> version;
  std::optional<Symbol> get_version;
  // Each reads a field or two of the layout.
  std::optional<Symbol> main;
  std::optional<Symbol> head;
  std::optional<Symbol> next;
  std::optional<Symbol> set_exception;
  std::optional<Symbol> remove;
};

Symbols Find(const Elf& elf) {
  const auto found = elf.FindAll(
      {"_PyRuntime", "PyContext_CopyCurrent", "Py_Version", "Py_GetVersion",
       "PyInterpreterState_Main", "PyInterpreterState_ThreadHead", "PyThreadState_Next",
       "PyThreadState_SetAsyncExc", "_PyThreadState_DeleteCurrent", "PyThreadState_DeleteCurrent"});
  // The second calls the first, which 3.13 does not export.
  return {found[0], found[1], found[2],
          found[3], found[4], found[5],
          found[6], found[7], found[8] ? found[8] : found[9]};
}

struct Version {
  unsigned major = 0;
  unsigned minor = 0;
  std::string text;
};

// "3.10.13" and whatever follows
std::optional<Version> ParseVersion(std::string_view text) {
  Version version;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (unsigned* part : {&version.major, &version.minor}) {
    const auto [stop, error] = std::from_chars(at, end, *part);
    if (error != std::errc() || stop == end || *stop != '.') return std::nullopt;
    at = stop + 1;
  }
  const bool plausible = (version.major == 2 || version.major == 3) && at != end && *at >= '0' &&
                         *at <= '9' && version.minor < 100;
  if (!plausible) return std::nullopt;
  version.text = text.substr(0, text.find_first_not_of("0123456789.abcr+"));
  return version;
}

// Since 3.11 there is a number. Before, a text that Py_GetVersion puts into a longer one.
std::optional<Version> FindVersion(const Elf& elf, const Symbols& symbols) {
  constexpr size_t kTextBytes = 16;
  if (symbols.version) {
    const std::string bytes = elf.Read(symbols.version->address, sizeof(uint32_t));
    uint32_t hex = 0;
    if (bytes.size() != sizeof(hex)) return std::nullopt;
    std::memcpy(&hex, bytes.data(), sizeof(hex));
    return ParseVersion(absl::StrCat(hex >> 24U, ".", hex >> 16U & 0xffU, ".", hex >> 8U & 0xffU));
  }
  if (!symbols.get_version) return std::nullopt;
  for (const Instruction& each : binary::DisassembleFunction(elf, symbols.get_version->address)) {
    const Operand& from = each.source;
    const bool address =
        each.operation == Operation::kLoadAddress
            ? from.base == Operand::kNoRegister
            : each.operation == Operation::kMove && from.kind == Operand::Kind::kNumber;
    if (!address) continue;
    const std::string text = elf.Read(static_cast<uint64_t>(from.value), kTextBytes);
    auto version = ParseVersion(std::string_view(text).substr(0, text.find('\0')));
    if (version) return version;
  }
  return std::nullopt;
}

constexpr unsigned kFirstMinor = 8;
constexpr unsigned kLastMinor = 14;
// From then on _PyRuntime begins with a description of itself.
constexpr unsigned kFirstDescribed = 13;

// In a Context behind the object's head: previous, variables, weak references, then whether it is
// entered (Python/context.c, the same in all of them).
constexpr int32_t kEntered = 40;

// 3.8 to 3.12: interpreter, threads, next, native_id, thread_id, context, entered, stack
constexpr std::array<sonde_python_layout, kFirstDescribed - kFirstMinor> kLayouts = {{
    {40, 8, 8, SONDE_NOWHERE, 176, 240, kEntered, SONDE_NOWHERE},
    {40, 8, 8, SONDE_NOWHERE, 176, 240, kEntered, SONDE_NOWHERE},
    {40, 8, 8, SONDE_NOWHERE, 176, 240, kEntered, SONDE_NOWHERE},
    {48, 16, 8, 160, 152, 224, kEntered, 296},
    {48, 72, 8, 144, 136, 208, kEntered, 232},
}};

// _Py_DebugOffsets: a cookie, then 64-bit numbers, of which these are wanted.
struct Described {
  size_t version = 0;
  size_t free_threaded = 1;
  size_t interpreters = 4;  // the first of all; the pointer to the main one follows
  size_t threads = 8;
  size_t next = 0;
  size_t thread_id = 0;
  size_t native_id = 0;
};
constexpr Described kDescribed13 = {.next = 20, .thread_id = 23, .native_id = 24};
constexpr Described kDescribed14 = {.next = 23, .thread_id = 26, .native_id = 27};
// Not described: they are so far behind thread_id in both.
constexpr int32_t kThreadIdToContext = 56;
constexpr int32_t kThreadIdToStack = 80;

Result<sonde_python_layout> ReadDescription(const Elf& elf, uint64_t runtime,
                                            const Version& version) {
  constexpr std::string_view kCookie = "xdebugpy";
  constexpr uint64_t kMaxOffset = 1 << 24;
  std::array<uint64_t, 32> numbers{};
  const std::string bytes = elf.Read(runtime, kCookie.size() + sizeof(numbers));
  if (bytes.size() != kCookie.size() + sizeof(numbers) || !bytes.starts_with(kCookie)) {
    return absl::UnimplementedError(absl::StrCat("the _PyRuntime of CPython ", version.text,
                                                 " does not begin with its description"));
  }
  std::memcpy(numbers.data(), bytes.data() + kCookie.size(), sizeof(numbers));
  const Described& where = version.minor == kFirstDescribed ? kDescribed13 : kDescribed14;
  if (numbers[where.free_threaded] != 0) {
    return absl::UnimplementedError(absl::StrCat(
        "CPython ", version.text, " is a free-threaded build, whose memory is not known"));
  }
  const auto at = [&](size_t index) {
    return static_cast<int32_t>(std::min(numbers[index], kMaxOffset));
  };
  sonde_python_layout layout{};
  layout.interpreter = at(where.interpreters) + static_cast<int32_t>(sizeof(uint64_t));
  layout.threads = at(where.threads);
  layout.next = at(where.next);
  layout.native_id = at(where.native_id);
  layout.thread_id = at(where.thread_id);
  layout.context = layout.thread_id + kThreadIdToContext;
  layout.entered = kEntered;
  layout.stack = layout.thread_id + kThreadIdToStack;
  return layout;
}

// A word of something, at `offset` or, if that something is at a fixed address, at `address`.
struct Field {
  int64_t offset = 0;
  std::optional<uint64_t> address;
};

bool IsField(const Operand& operand, const Field& field) {
  if (operand.kind != Operand::Kind::kMemory || operand.bytes != sizeof(uint64_t)) return false;
  if (operand.base == Operand::kNoRegister) {
    return field.address && static_cast<uint64_t>(operand.value) == *field.address;
  }
  return operand.base != SONDE_REGISTER_SP && operand.value == field.offset;
}

// Whether code contradicts: it can be read, and neither it nor what it calls uses the field.
bool Contradicts(const Elf& elf, const std::optional<Symbol>& function, const Field& field,
                 bool calls) {
  constexpr size_t kMaxCallees = 8;
  if (!function) return false;
  const auto code = binary::DisassembleFunction(elf, function->address);
  if (code.empty()) return false;
  std::vector<uint64_t> callees;
  for (const Instruction& each : code) {
    if (IsField(each.source, field) || IsField(each.destination, field)) return false;
    const auto target = each.operation == Operation::kCall ? each.target() : std::nullopt;
    if (calls && target && callees.size() < kMaxCallees) callees.push_back(*target);
  }
  return std::ranges::all_of(callees, [&](uint64_t callee) {
    const auto within = binary::DisassembleFunction(elf, callee);
    return std::ranges::none_of(within, [&](const Instruction& each) {
      return IsField(each.source, field) || IsField(each.destination, field);
    });
  });
}

// The function that contradicts the layout; empty if none does.
std::string_view Check(const Elf& elf, const Symbols& symbols, uint64_t runtime,
                       const sonde_python_layout& layout) {
  const uint64_t main = runtime + static_cast<uint64_t>(layout.interpreter);
  if (Contradicts(elf, symbols.main, {layout.interpreter, main}, false))
    return "PyInterpreterState_Main";
  if (Contradicts(elf, symbols.head, {layout.threads, {}}, false))
    return "PyInterpreterState_ThreadHead";
  if (Contradicts(elf, symbols.next, {layout.next, {}}, false)) return "PyThreadState_Next";
  if (Contradicts(elf, symbols.set_exception, {layout.thread_id, {}}, true))
    return "PyThreadState_SetAsyncExc";
  if (Contradicts(elf, symbols.copy, {layout.context, {}}, true)) return "PyContext_CopyCurrent";
  return {};
}

Result<sonde_python_layout> Layout(const Elf& elf, const Symbols& symbols, uint64_t runtime,
                                   const Version& version) {
  auto layout = version.minor < kFirstDescribed
                    ? Result<sonde_python_layout>(kLayouts.at(version.minor - kFirstMinor))
                    : ReadDescription(elf, runtime, version);
  if (!layout.ok()) return layout;
  const std::string_view against = Check(elf, symbols, runtime, *layout);
  if (!against.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("the memory of this CPython ", version.text,
                     " is not as that version's: ", std::string(against), " contradicts"));
  }
  if (layout->stack != SONDE_NOWHERE &&
      Contradicts(elf, symbols.remove, {layout->stack, {}}, true)) {
    layout->stack = SONDE_NOWHERE;
  }
  return layout;
}

// A return is followed from where the stack is as at the entry.
Result<RuntimePoint> Copied(const Elf& elf, uint64_t copy) {
  const auto offset = elf.CodeOffset(binary::CheapEntry(elf, copy, {}, true).value_or(copy));
  if (!offset) return absl::UnimplementedError("PyContext_CopyCurrent is not in executable code");
  RuntimePoint point;
  point.file_offset = *offset;
  point.at_return = true;
  point.event = SONDE_RUNTIME_PYTHON_COPIED;
  point.subject.from = SONDE_REGISTER_AX;
  point.where = "PyContext_CopyCurrent";
  return point;
}

Result<RuntimePlan> Resolve(const Elf& elf) {
  const Symbols symbols = Find(elf);
  if (!symbols.runtime && !symbols.get_version) {
    if (elf.Find("PyPy_GetVersion")) {
      return absl::UnimplementedError("it is PyPy, which keeps its contexts in a heap of its own");
    }
    return absl::NotFoundError("no CPython");
  }
  const auto version = FindVersion(elf, symbols);
  if (!version) return absl::UnimplementedError("the version of its CPython is not found");
  const bool known = version->major == 3 && version->minor >= kFirstMinor;
  if (!known || version->minor > kLastMinor) {
    return absl::UnimplementedError(absl::StrCat("the memory of CPython ", version->text,
                                                 " is not known, but that of 3.", kFirstMinor,
                                                 " to 3.", kLastMinor));
  }
  if (!symbols.runtime || !symbols.copy) {
    return absl::UnimplementedError(
        absl::StrCat("CPython ", version->text, " has no symbol ",
                     symbols.runtime ? "PyContext_CopyCurrent" : "_PyRuntime"));
  }
  const auto layout = Layout(elf, symbols, symbols.runtime->address, *version);
  if (!layout.ok()) return layout.status();
  auto point = Copied(elf, symbols.copy->address);
  if (!point.ok()) return point.status();
  RuntimePlan plan;
  plan.version = version->text;
  plan.layout.kind = SONDE_RUNTIME_PYTHON;
  plan.layout.base = symbols.runtime->address;
  plan.layout.python = *layout;
  plan.points.push_back(*std::move(point));
  AddQueuePoints(elf, plan);
  return plan;
}

}  // namespace

const Runtime kCPython = {.name = "cpython", .kind = SONDE_RUNTIME_PYTHON, .resolve = Resolve};

}  // namespace sonde::probe
