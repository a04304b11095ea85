// SPDX-License-Identifier: Apache-2.0
// Which probe families are used: of each part the first that is allowed and works.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/libbpf_log.h"
#include "kernel/loaded_family.h"
#include "kernel/shared_maps.h"
#include "sonde/abi/control.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::kernel {

struct FamilyState {
  std::string_view name;
  std::string_view state;  // "works", "fallback", "off", "failed"
  std::string why;
  std::string_view cost;
  std::string_view without;  // what is lost when it is off
  LibbpfLog::Costs costs;    // verifier's instructions by program, if it is loaded
};

struct Choice {
  std::vector<std::unique_ptr<LoadedFamily>> loaded;
  std::vector<FamilyState> states;  // one per known family
};

// Unknown names in --probes or --no-probes: kInvalidArgument.
Status CheckFamilyNames(const CaptureOptions& capture);
// Loads and attaches. `settings` are for every family; socket_table follows from the socket family
// that works, which comes first in the registry.
Result<Choice> ChooseFamilies(const CaptureOptions& capture, sonde_settings settings,
                              SharedMaps& maps);

}  // namespace sonde::kernel
