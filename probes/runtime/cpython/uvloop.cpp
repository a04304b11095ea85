// SPDX-License-Identifier: Apache-2.0
// uvloop, up to 0.21: transport.write() puts the bytes into a list, and the loop sends them at the
// end of its turn, in no task's context. So it is noted at write() who left bytes for which
// connection. From 0.22 on they are sent at once, and the note is taken back by that.
#include <absl/status/status.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "binary/elf.h"
#include "binary/sites.h"
#include "probes/runtime/cpython/methods.h"
#include "probes/runtime/runtime_points.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/abi/tls.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

using binary::Elf;

// Of UVStream, in this order. Other classes of the module have methods of these names in other
// orders.
constexpr std::array<std::string_view, 7> kMethods = {
    "write",      "writelines",    "write_eof",     "can_write_eof",
    "is_reading", "pause_reading", "resume_reading"};

// Where the table of UVStream's methods begins; 0 = not in this file.
uint64_t TableOf(const Elf& elf) {
  constexpr size_t kClasses = 16;
  // With the end of the text before it: a whole one, not the end of a longer one.
  const auto before = elf.FindString('\0' + std::string(kMethods.back()), false);
  if (!before) return 0;
  for (const uint64_t last : elf.FindPointers(*before + 1, kClasses)) {
    const uint64_t table = last - (kMethods.size() - 1) * kMethodBytes;
    size_t same = 0;
    while (same < kMethods.size() &&
           MethodAt(elf, table + same * kMethodBytes, kMethods.at(same))) {
      ++same;
    }
    if (same == kMethods.size()) return table;
  }
  return 0;
}

Result<RuntimePlan> Resolve(const Elf& elf) {
  if (!elf.Find("PyInit_loop")) return absl::NotFoundError("no uvloop");
  const uint64_t table = TableOf(elf);
  if (table == 0) return absl::NotFoundError("no uvloop: its module loop has no UVStream");
  RuntimePlan plan;
  for (const size_t index : {0, 1}) {
    const auto method = MethodAt(elf, table + index * kMethodBytes, kMethods.at(index));
    const auto at = method ? binary::CheapEntry(elf, method->function, {SONDE_REGISTER_DI}, false)
                           : std::nullopt;
    RuntimePoint point;
    point.event = SONDE_RUNTIME_PYTHON_LEAVES;
    point.subject.from = SONDE_REGISTER_DI;
    if (!at || !AddPoint(elf, method->function, kMethods.at(index), *at, point, plan)) {
      return absl::UnimplementedError("uvloop's UVStream is not as it is known");
    }
  }
  return plan;
}

}  // namespace

const Runtime kUvloop = {.name = "uvloop", .kind = SONDE_RUNTIME_NONE, .resolve = Resolve};

}  // namespace sonde::probe
