// SPDX-License-Identifier: Apache-2.0
// A language runtime as data: how it is recognised in an executable file, where it keeps who is at
// work, and which of its instructions tell who woke or made whom. The manifests are in
// probes/runtime/, one folder per runtime.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/abi/runtime.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"

namespace sonde::binary {
class Elf;
}

namespace sonde::probe {

// When a probe is worth its price.
enum class RuntimePointUse : uint8_t {
  kAlways,    // rare, or cheap, and the links rest on it
  kOnce,      // taken out when it was hit once in the process
  kOptIn,     // on a hot path: only if the operator asks for it (sonde.linking.hot_wakes)
  kOnDemand,  // on a hot path: from when calls are seen that only it could link
};

// One instruction to be probed; one that the kernel emulates (push, call, jump, nop) unless
// at_return.
struct RuntimePoint {
  uint64_t file_offset = 0;
  bool at_return = false;  // the entry of a function whose return is meant; `subject` is read then
  sonde_runtime_event event{};
  sonde_place subject{};
  uint32_t detail = 0;  // as sonde_runtime_probe has it
  RuntimePointUse use = RuntimePointUse::kAlways;
  std::string where;  // "PyContext_CopyCurrent", for doctor and logs
};

struct RuntimePlan {
  // `base` is an address as the file numbers it (0 = none): where it is in a process is found by
  // its mappings.
  sonde_runtime layout{};
  std::vector<RuntimePoint> points;
  // hotspot: the futex in which a thread sleeps is so many bytes behind the start of its Parker, at
  // least and at most. 0: not known.
  uint32_t least_parker_bytes = 0;
  uint32_t most_parker_bytes = 0;
  std::string version;  // "3.11.2", "go1.22.3", "v20.20.2"
  std::string remark;   // what cannot be told and why; empty = all is well
};

struct Runtime {
  std::string_view name;  // "go", "cpython", "node", "hotspot", "tokio" ...
  // SONDE_RUNTIME_NONE: a part of a runtime whose rest is in another file.
  sonde_runtime_kind kind = SONDE_RUNTIME_OTHER;
  // Reads a file that may be hostile, in bounded time and memory. kNotFound: this runtime is not in
  // it. Any other error: it is, but of a kind whose memory is not known; the message says why and
  // follows "not linked, because".
  Result<RuntimePlan> (*resolve)(const binary::Elf& elf);
  // On others it is recognised only.
  Processors processors = Processors::kX86;
};

// Every runtime sonde knows; the first that is found in a file is the file's. Defined in
// probes/runtime/runtimes.cpp.
std::span<const Runtime* const> Runtimes();

}  // namespace sonde::probe
