// SPDX-License-Identifier: Apache-2.0
// OpenJDK's virtual machine, libjvm.so. Who wakes whom is told by two of its own probe points
// (USDT), which thread is at work by a number in its JavaThread. NOTES.md has the evidence.
#include <absl/status/status.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/code.h"
#include "binary/elf.h"
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

constexpr uint8_t kWord = 8;
// A Parker is one number, a mutex of glibc's, and two conditions, which have their futexes at 32 to
// 44.
constexpr uint32_t kLeastParkerBytes = 80;
constexpr uint32_t kMostParkerBytes = 144;
constexpr std::string_view kCurrent = "_ZN6Thread12_thr_currentE";

// First argument of a probe point: "8@%rdi -4@%eax", "8@1264(%rbx)".
std::optional<sonde_place> FirstArgument(std::string_view arguments) {
  constexpr std::array<std::string_view, SONDE_REGISTER_COUNT> kNames = {
      "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  constexpr std::string_view kEight = "8@";
  arguments = arguments.substr(0, arguments.find(' '));
  if (arguments.starts_with('-')) arguments.remove_prefix(1);
  if (!arguments.starts_with(kEight)) return std::nullopt;
  arguments.remove_prefix(kEight.size());
  sonde_place place{};
  if (arguments.ends_with(')')) {
    place.memory = 1;
    const std::string offset(arguments.substr(0, arguments.find('(')));
    if (!offset.empty() && !absl::SimpleAtoi(offset, &place.offset)) return std::nullopt;
    arguments.remove_prefix(std::min(arguments.size(), offset.size() + 1));
    if (!arguments.empty()) arguments.remove_suffix(1);
  }
  if (!arguments.starts_with('%')) return std::nullopt;
  const auto name = std::ranges::find(kNames, arguments.substr(1));
  if (name == kNames.end()) return std::nullopt;
  place.from = static_cast<uint8_t>(name - kNames.begin());
  return place;
}

struct ProbePoint {
  uint64_t address = 0;
  std::string_view name;
  std::string_view arguments;
};

std::string_view NextText(std::string_view& from) {
  const std::string_view text = from.substr(0, from.find('\0'));
  from.remove_prefix(std::min(from.size(), text.size() + 1));
  return text;
}

// A note's content: address, address that .stapsdt.base had when it was written, semaphore, three
// texts. Empty if it is not hotspot's, or counts who listens.
std::optional<ProbePoint> ParsePoint(std::string_view content, uint64_t base) {
  std::array<uint64_t, 3> words{};
  if (content.size() < sizeof(words)) return std::nullopt;
  std::memcpy(words.data(), content.data(), sizeof(words));
  content.remove_prefix(sizeof(words));
  const auto& [address, written_base, semaphore] = words;
  if (semaphore != 0 || NextText(content) != "hotspot") return std::nullopt;
  ProbePoint point;
  point.address = address + (base - written_base);
  point.name = NextText(content);
  point.arguments = NextText(content);
  return point;
}

// Of section .note.stapsdt, in `notes`: {size of name, of content, type}, name, content, the last
// two filled up to four bytes.
std::vector<ProbePoint> ProbePoints(std::string_view notes, uint64_t base) {
  constexpr std::string_view kOwner("stapsdt\0", 8);
  constexpr uint32_t kType = 3;
  constexpr size_t kMaxPoints = 4096;  // libjvm has 600
  const auto filled = [](uint32_t size) { return (uint64_t{size} + 3) / 4 * 4; };
  std::vector<ProbePoint> points;
  std::array<uint32_t, 3> header{};
  while (notes.size() >= sizeof(header) && points.size() < kMaxPoints) {
    std::memcpy(header.data(), notes.data(), sizeof(header));
    notes.remove_prefix(sizeof(header));
    const auto& [owner, content, type] = header;
    if (filled(owner) + filled(content) > notes.size()) break;
    const bool ours = type == kType && notes.substr(0, owner) == kOwner;
    if (ours) {
      const auto point = ParsePoint(notes.substr(filled(owner), content), base);
      if (point) points.push_back(*point);
    }
    notes.remove_prefix(filled(owner) + filled(content));
  }
  return points;
}

// Both have the Parker as their first argument.
struct Wanted {
  std::string_view name;
  sonde_runtime_event event;
};
constexpr std::array<Wanted, 2> kWanted = {{
    {"thread__unpark", SONDE_RUNTIME_JAVA_UNPARKED},
    {"thread__park__begin", SONDE_RUNTIME_JAVA_PARKS},
}};

// False unless both are there, at a nop, which the kernel emulates.
bool AddPoints(const binary::Elf& elf, RuntimePlan& plan) {
  const std::string notes = elf.Section(".note.stapsdt");
  const auto base = elf.SectionAddress(".stapsdt.base");
  if (!base) return false;
  const auto points = ProbePoints(notes, *base);
  for (const Wanted& wanted : kWanted) {
    const size_t before = plan.points.size();
    for (const ProbePoint& from : points) {
      if (from.name != wanted.name) continue;
      const auto place = FirstArgument(from.arguments);
      const auto code = binary::Disassemble(elf, from.address, from.address + 1, 1);
      if (!place || code.empty() || !code[0].emulated || code[0].operation != Operation::kNop) {
        return false;
      }
      RuntimePoint point;
      point.event = wanted.event;
      point.subject = *place;
      AddPoint(elf, from.address, wanted.name, from.address, std::move(point), plan);
    }
    if (plan.points.size() == before) return false;
  }
  return true;
}

// Which registers hold the JavaThread, in code without regard to jumps.
class Threads {
 public:
  bool Has(uint8_t reg) const { return reg < SONDE_REGISTER_COUNT && (set_ >> reg & 1U) != 0; }
  void Add(uint8_t reg) { set_ |= 1U << reg; }
  void Step(const Instruction& instruction) {
    constexpr unsigned kLostByCalls = 0x0f37;  // ax, dx, cx, si, di, r8 to r11
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    const bool copied = instruction.operation == Operation::kMove && to.bytes == kWord &&
                        to.kind == Operand::Kind::kRegister &&
                        from.kind == Operand::Kind::kRegister && Has(from.base);
    set_ &= ~unsigned{instruction.writes};
    if (instruction.operation == Operation::kCall) set_ &= ~kLostByCalls;
    if (copied) Add(to.base);
  }

 private:
  unsigned set_ = 0;
};

// In what sets the current thread: `mov r, [its java.lang.Thread + where that has its number];
// mov [JavaThread + field], r`. JDK 24 and later do so in JVM_SetCurrentThread; before, what it
// calls for the flight recorder does.
class NumberSearch {
 public:
  // `is_entry`: the argument is a JNIEnv*, which is in the JavaThread.
  NumberSearch(const binary::Elf& elf, uint64_t start, uint64_t end, bool is_entry)
      : elf_(elf), start_(start), end_(end), is_entry_(is_entry) {
    if (!is_entry) threads_.Add(SONDE_REGISTER_DI);
  }

  std::optional<int32_t> Run(int depth) {
    constexpr size_t kMaxInstructions = 128;
    constexpr int kMaxDepth = 2;
    constexpr size_t kMaxCallees = 6;
    for (const Instruction& each : binary::Disassemble(elf_, start_, end_, kMaxInstructions)) {
      if (StoresNumber(each)) return static_cast<int32_t>(each.destination.value);
      const auto callee = Callee(each);
      if (callee && callees_.size() < kMaxCallees) callees_.push_back(*callee);
      Step(each);
    }
    if (depth == kMaxDepth) return std::nullopt;
    for (const uint64_t callee : callees_) {
      const auto field = NumberSearch(elf_, callee, End(elf_, callee), false).Run(depth + 1);
      if (field) return field;
    }
    return std::nullopt;
  }

 private:
  static uint64_t End(const binary::Elf& elf, uint64_t function) {
    constexpr uint64_t kMaxBytes = 1024;
    const auto& starts = elf.FunctionStarts();
    const auto next = std::ranges::upper_bound(starts, function);
    return next == starts.end() ? function + kMaxBytes : *next;
  }

  bool StoresNumber(const Instruction& instruction) const {
    constexpr int64_t kMaxField = 1 << 16;
    const Operand& to = instruction.destination;
    return instruction.operation == Operation::kMove && number_ != Operand::kNoRegister &&
           to.kind == Operand::Kind::kMemory && to.bytes == kWord && !to.indexed &&
           threads_.Has(to.base) && to.value > 0 && to.value < kMaxField &&
           instruction.source.kind == Operand::Kind::kRegister &&
           instruction.source.base == number_;
  }

  // A function that gets the JavaThread as its first argument.
  std::optional<uint64_t> Callee(const Instruction& instruction) const {
    const bool leaves =
        instruction.operation == Operation::kCall || instruction.operation == Operation::kJump;
    const auto target = instruction.target();
    if (!leaves || !target || !threads_.Has(SONDE_REGISTER_DI)) return std::nullopt;
    return *target < start_ || *target >= end_ ? target : std::nullopt;
  }

  void Step(const Instruction& instruction) {
    const Operand& to = instruction.destination;
    const Operand& from = instruction.source;
    const bool whole = to.kind == Operand::Kind::kRegister && to.bytes == kWord;
    const bool is_thread = is_entry_ && whole && instruction.operation == Operation::kLoadAddress &&
                           from.base == SONDE_REGISTER_DI && !from.indexed && from.value < 0;
    const bool is_number = instruction.operation == Operation::kMove && whole &&
                           from.kind == Operand::Kind::kMemory && from.indexed && !from.thread &&
                           from.base != Operand::kNoRegister;
    threads_.Step(instruction);
    if (number_ != Operand::kNoRegister && (instruction.writes >> number_ & 1U) != 0) {
      number_ = Operand::kNoRegister;
    }
    if (is_thread) threads_.Add(to.base);
    if (is_number) number_ = to.base;
  }

  const binary::Elf& elf_;
  const uint64_t start_;
  const uint64_t end_;
  const bool is_entry_;
  Threads threads_;
  uint8_t number_ = Operand::kNoRegister;  // the register that may hold the number
  std::vector<uint64_t> callees_;
};

// Fills in where the number of the mounted thread is; or says why not.
std::string AddThreads(const binary::Elf& elf, RuntimePlan& plan) {
  sonde_java_layout& at = plan.layout.java;
  at = {SONDE_NOWHERE, SONDE_NOWHERE};
  const auto setter = elf.Find("JVM_SetCurrentThread");
  if (!setter) return {};  // no virtual threads before JDK 21
  // musl's table of thread-locals is another than glibc's.
  if (elf.Section(".dynstr").find("libc.musl") != std::string::npos) {
    return "it is built for musl: virtual threads are not told apart, and wake-ups are not used";
  }
  const auto current = elf.FindThreadLocals(kCurrent, 1);
  const auto slot = current.empty() ? std::nullopt : elf.ThreadLocalSlot(current[0].second.address);
  if (!slot)
    return "it has no symbol for its current thread: virtual threads are not told apart, and "
           "wake-ups are not used";
  const auto field =
      NumberSearch(elf, setter->address, setter->address + setter->size, true).Run(0);
  if (!field)
    return "JVM_SetCurrentThread does not tell the number of a virtual thread, and wake-ups are "
           "not used";
  plan.layout.base = *slot;
  at.thread = static_cast<int32_t>(current[0].second.address);
  at.vthread_id = *field;
  return {};
}

// "OpenJDK 64-Bit Server VM (...) for linux-amd64 JRE (17.0.15+6-Debian-1deb12u1), built ...": what
// java.runtime.version says.
std::string Version(const binary::Elf& elf) {
  constexpr std::string_view kBefore = " JRE (";
  constexpr size_t kMaxVersion = 40;
  const std::string data = elf.Section(".rodata");
  for (size_t at = data.find(kBefore); at != std::string::npos; at = data.find(kBefore, at + 1)) {
    const std::string_view rest = std::string_view(data).substr(at + kBefore.size(), kMaxVersion);
    const size_t end = rest.find(')');
    const bool is_number = !rest.empty() && rest[0] >= '0' && rest[0] <= '9';
    if (is_number && end != std::string_view::npos) return std::string(rest.substr(0, end));
  }
  return {};
}

Result<RuntimePlan> Resolve(const binary::Elf& elf) {
  const auto found = elf.FindAll({"JNI_CreateJavaVM", "JVM_CurrentThread"});
  if (!found[0] || !found[1]) return absl::NotFoundError("no Java virtual machine");
  RuntimePlan plan;
  plan.version = Version(elf);
  plan.layout.kind = SONDE_RUNTIME_JAVA;
  if (!AddPoints(elf, plan)) {
    return absl::UnimplementedError(
        "it has no probe points of hotspot's that can be used (built without DTrace)");
  }
  plan.least_parker_bytes = kLeastParkerBytes;
  plan.most_parker_bytes = kMostParkerBytes;
  plan.remark = AddThreads(elf, plan);
  // Carriers are woken for any of theirs, and here they look like other threads.
  if (!plan.remark.empty()) plan.points.clear();
  return plan;
}

}  // namespace

const Runtime kHotspot = {.name = "hotspot", .kind = SONDE_RUNTIME_JAVA, .resolve = Resolve};

}  // namespace sonde::probe
