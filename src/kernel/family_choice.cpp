// SPDX-License-Identifier: Apache-2.0
#include "kernel/family_choice.h"

#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <sys/utsname.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/host.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/control.h"
#include "sonde/base/processor.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/probe/family.h"

namespace sonde::kernel {
namespace {

bool Names(const std::vector<std::string>& list, std::string_view family) {
  return std::ranges::any_of(list, [&](const std::string& name) {
    return absl::StrReplaceAll(name, {{"-", "_"}}) == family;
  });
}

// --probes chooses among families that do the same; a part that it does not mention keeps its
// default.
bool Allowed(const probe::Family& family, const CaptureOptions& capture) {
  if (Names(capture.no_probes, family.name)) return false;
  const bool part_is_named =
      std::ranges::any_of(probe::Families(), [&](const probe::Family* other) {
        return other->part == family.part && Names(capture.probes, other->name);
      });
  return !part_is_named || Names(capture.probes, family.name);
}

// What the kernel must have, or must not have any more; "" if all is well.
std::string Unfit(const probe::Family& family) {
  for (const std::string_view name : family.tracepoints) {
    if (!HasTracepoint(std::string(name))) {
      return absl::StrCat("the kernel has no tracepoint ", std::string(name), " (needs Linux ",
                          std::string(family.kernel), " or newer)");
    }
  }
  if (!family.bypass.empty() && HasFunction(std::string(family.bypass))) {
    return absl::StrCat("the kernel moves bytes past its tracepoints, by ",
                        std::string(family.bypass), " (needs Linux ", std::string(family.kernel),
                        " or newer)");
  }
  return "";
}

// What a failure most likely comes from.
std::string AgeOfKernel(const probe::Family& family) {
  utsname name = {};
  if (uname(&name) != 0 || !IsOlder(name.release, family.kernel)) return "";
  return absl::StrCat("; this kernel is ", name.release, ", and the family needs Linux ",
                      std::string(family.kernel), " or newer");
}

}  // namespace

Status CheckFamilyNames(const CaptureOptions& capture) {
  for (const auto* list : {&capture.probes, &capture.no_probes}) {
    for (const std::string& name : *list) {
      const std::string wanted = absl::StrReplaceAll(name, {{"-", "_"}});
      if (std::ranges::any_of(probe::Families(), [&](const auto* f) { return f->name == wanted; }))
        continue;
      std::string known;
      for (const probe::Family* family : probe::Families())
        absl::StrAppend(&known, " ", std::string(family->name));
      return absl::InvalidArgumentError(
          absl::StrCat("unknown probe family '", name, "'; known:", known));
    }
  }
  return absl::OkStatus();
}

Result<Choice> ChooseFamilies(const CaptureOptions& capture, sonde_settings settings,
                              SharedMaps& maps) {
  Choice choice;
  std::vector<probe::Part> served;
  std::string reasons;
  for (const probe::Family* family : probe::Families()) {
    FamilyState state{family->name, "off", "", family->cost, family->without, {}};
    if (family->part == probe::Part::kSockets && std::ranges::count(served, family->part) == 0) {
      settings.socket_table = family->socket_table ? 1 : 0;
    }
    if (!Allowed(*family, capture)) {
      state.why = "switched off by --probes or --no-probes";
    } else if (std::ranges::count(served, family->part) > 0) {
      state.why = "not needed: a preferred family works";
    } else if (!IncludesHost(family->processors)) {
      state.state = "failed";
      state.why = kOtherProcessor;
    } else if (state.why = Unfit(*family); !state.why.empty()) {
      state.state = "failed";
    } else if (auto loaded = LoadedFamily::Load(*family, settings, maps); !loaded.ok()) {
      state.state = "failed";
      state.why = std::string(loaded.status().message());
      if (!absl::StrContains(state.why, "needs Linux")) state.why += AgeOfKernel(*family);
    } else {
      const bool preferred_failed = std::ranges::any_of(choice.states, [&](const FamilyState& s) {
        return s.state == "failed" && std::ranges::any_of(probe::Families(), [&](const auto* f) {
                 return f->name == s.name && f->part == family->part;
               });
      });
      state.why = (*loaded)->remark();
      state.state = preferred_failed || !state.why.empty() ? "fallback" : "works";
      served.push_back(family->part);
      state.costs = (*loaded)->costs();
      choice.loaded.push_back(*std::move(loaded));
    }
    if (state.state == "failed")
      absl::StrAppend(&reasons, reasons.empty() ? "" : "\n", std::string(family->name), ": ",
                      state.why);
    choice.states.push_back(std::move(state));
  }
  for (const probe::Family* family : probe::Families()) {
    if (family->on_failure != probe::OnFailure::kFatal ||
        std::ranges::count(served, family->part) > 0)
      continue;
    return absl::FailedPreconditionError(
        absl::StrCat("no probe family works for ", std::string(family->name),
                     "; see `sonde doctor`", reasons.empty() ? "" : "\n", reasons));
  }
  return choice;
}

}  // namespace sonde::kernel
