// SPDX-License-Identifier: Apache-2.0
#include "tls/inspect.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binary/elf.h"
#include "sonde/base/processor.h"
#include "sonde/probe/runtime.h"
#include "sonde/probe/tls.h"
#include "tls/mapped_files.h"

namespace sonde::tls {

namespace {

void InspectRuntime(const binary::Elf& elf, Inspection& inspection) {
  constexpr uint64_t kPage = 4096;
  for (const probe::Runtime* runtime : probe::Runtimes()) {
    auto plan = runtime->resolve(elf);
    if (absl::IsNotFound(plan.status())) continue;
    if (!IncludesHost(runtime->processors) && runtime->kind != SONDE_RUNTIME_OTHER) {
      plan = absl::UnimplementedError(kOtherProcessor);
    }
    inspection.runtime = runtime->name;
    inspection.runtime_kind = runtime->kind;
    inspection.runtime_status = plan.status();
    if (plan.ok()) inspection.runtime_plan = *std::move(plan);
    break;
  }
  const auto segments = elf.Segments();
  if (!segments.empty()) inspection.first_address = segments.front().address & ~(kPage - 1);
}

}  // namespace

Inspection InspectFile(int file) {
  Inspection inspection;
  const auto elf = binary::Elf::Open(file);
  if (!elf.ok()) return inspection;
  InspectRuntime(**elf, inspection);
  for (const probe::TlsLibrary* library : probe::TlsLibraries()) {
    auto plan = library->resolve(**elf);
    if (absl::IsNotFound(plan.status())) continue;
    if (!IncludesHost(library->processors) && !library->named_only) {
      plan = absl::UnimplementedError(kOtherProcessor);
    }
    inspection.library = library->name;
    inspection.status = plan.status();
    if (plan.ok()) inspection.plan = *std::move(plan);
    break;
  }
  return inspection;
}

namespace {

std::string DescribeRuntime(const Inspection& found) {
  const std::string name(found.runtime);
  if (!found.runtime_status.ok()) {
    return absl::StrCat(name, ": not linked, because ",
                        std::string(found.runtime_status.message()));
  }
  const probe::RuntimePlan& plan = found.runtime_plan;
  return absl::StrCat(name, plan.version.empty() ? "" : " ", plan.version,
                      plan.remark.empty() ? "" : ": ", plan.remark);
}

}  // namespace

Description DescribeProcess(const std::string& proc, uint32_t tgid) {
  Description description;
  std::vector<std::string>& decoded = description.tls;
  std::vector<std::string> undecoded;
  for (const MappedFile& file : ReadMappedFiles(proc, tgid)) {
    const auto opened = OpenMapped(proc, tgid, file);
    if (!opened.valid()) continue;
    const Inspection found = InspectFile(opened.get());
    // As the watcher: the first is the process's.
    if (!found.runtime.empty() && found.runtime_kind != SONDE_RUNTIME_NONE &&
        description.runtime.empty()) {
      description.runtime = DescribeRuntime(found);
    }
    if (found.library.empty()) continue;
    std::string text(found.library);
    if (found.status.ok()) {
      if (!found.plan.version.empty()) absl::StrAppend(&text, " (", found.plan.version, ")");
      if (!found.plan.remark.empty()) absl::StrAppend(&text, ": ", found.plan.remark);
    } else {
      absl::StrAppend(&text, ": seen, not decoded, because ", std::string(found.status.message()));
    }
    std::vector<std::string>& list = found.status.ok() ? decoded : undecoded;
    if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
  }
  decoded.insert(decoded.end(), undecoded.begin(), undecoded.end());
  return description;
}

}  // namespace sonde::tls
