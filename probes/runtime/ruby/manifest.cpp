// SPDX-License-Identifier: Apache-2.0
// Ruby (MRI): its threads are the system's, so nothing of it is read but which runtime it is. That
// is worth knowing: what its servers do with their threads is (NOTES.md).
#include <absl/status/status.h>

#include <cstddef>
#include <string>

#include "binary/elf.h"
#include "probes/runtime/runtimes.h"
#include "sonde/abi/runtime.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"
#include "sonde/probe/runtime.h"

namespace sonde::probe {
namespace {

Result<RuntimePlan> Resolve(const binary::Elf& elf) {
  constexpr size_t kMaxVersion = 16;
  // Exported by libruby.so, and by a program that has it inside.
  const auto version = elf.Find("ruby_version");
  if (!version || !elf.Find("rb_thread_create")) return absl::NotFoundError("no Ruby");
  RuntimePlan plan;
  plan.layout.kind = SONDE_RUNTIME_RUBY;
  const std::string text = elf.Read(version->address, kMaxVersion);
  plan.version = text.substr(0, text.find_first_not_of("0123456789."));
  return plan;
}

}  // namespace

const Runtime kRuby = {.name = "ruby",
                       .kind = SONDE_RUNTIME_RUBY,
                       .resolve = Resolve,
                       .processors = Processors::kX86AndArm64};

}  // namespace sonde::probe
