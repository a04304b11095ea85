// SPDX-License-Identifier: Apache-2.0
// CPython's module _queue, as a rule a file of its own, without symbols. Its functions are found in
// the table by which the interpreter finds them, too: the methods of SimpleQueue, by their names.
#include "probes/runtime/cpython/queue.h"

#include <absl/status/status.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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

// METH_FASTCALL | METH_KEYWORDS: self, arguments, how many, names. With more, arguments are
// elsewhere.
constexpr uint32_t kFastcallKeywords = 0x82;
// SimpleQueue has seven, in the order of the alphabet.
constexpr int kReach = 6;

// One whose name no other class has leads to the table, of which it is near.
class Methods {
 public:
  explicit Methods(const Elf& elf) : elf_(elf) {
    const auto name = elf.FindString("get_nowait", false);
    const auto places = name ? elf.FindPointers(*name, 1) : std::vector<uint64_t>();
    if (!places.empty()) near_ = places.front();
  }

  std::optional<Method> Find(std::string_view name) const {
    if (!near_) return std::nullopt;
    for (int step = -kReach; step <= kReach; ++step) {
      const uint64_t entry = *near_ + static_cast<uint64_t>(step) * kMethodBytes;
      if (auto method = MethodAt(elf_, entry, name)) return method;
    }
    return std::nullopt;
  }

 private:
  const Elf& elf_;
  std::optional<uint64_t> near_;
};

bool AddPut(const Elf& elf, const Method& put, RuntimePlan& plan) {
  if (put.flags != kFastcallKeywords) return false;
  const auto at = binary::CheapEntry(elf, put.function, {SONDE_REGISTER_SI}, false);
  RuntimePoint point;
  point.event = SONDE_RUNTIME_PYTHON_PUT;
  point.subject.from = SONDE_REGISTER_SI;  // the first argument is what it points to
  point.subject.memory = 1;
  return at && AddPoint(elf, put.function, "SimpleQueue.put", *at, point, plan);
}

bool AddTaken(const Elf& elf, const Method& get, std::string_view name, RuntimePlan& plan) {
  const auto at = binary::CheapEntry(elf, get.function, {}, true);
  RuntimePoint point;
  point.at_return = true;
  point.event = SONDE_RUNTIME_PYTHON_TAKEN;
  point.subject.from = SONDE_REGISTER_AX;
  return at && AddPoint(elf, get.function, name, *at, point, plan);
}

Result<RuntimePlan> Resolve(const Elf& elf) {
  if (!elf.Find("PyInit__queue")) return absl::NotFoundError("no _queue of CPython");
  RuntimePlan plan;
  if (!AddQueuePoints(elf, plan)) {
    return absl::UnimplementedError("its SimpleQueue is not as it is known");
  }
  return plan;
}

}  // namespace

// All or none: who takes up work of which it is not told would go on with what it had.
bool AddQueuePoints(const Elf& elf, RuntimePlan& plan) {
  const Methods methods(elf);
  const auto put = methods.Find("put");
  const auto get = methods.Find("get");
  const auto get_nowait = methods.Find("get_nowait");
  if (!put || !get || !get_nowait) return false;
  RuntimePlan added;
  if (!AddPut(elf, *put, added) || !AddTaken(elf, *get, "SimpleQueue.get", added) ||
      !AddTaken(elf, *get_nowait, "SimpleQueue.get_nowait", added)) {
    return false;
  }
  for (RuntimePoint& point : added.points) plan.points.push_back(std::move(point));
  return true;
}

const Runtime kCPythonQueue = {
    .name = "cpython-queue", .kind = SONDE_RUNTIME_NONE, .resolve = Resolve};

}  // namespace sonde::probe
