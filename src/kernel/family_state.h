// SPDX-License-Identifier: Apache-2.0
// What became of a probe family, for doctor, logs and the metric sonde_probe_state.
#pragma once

#include <string>

namespace sonde::kernel {

enum class FamilyCondition {
  kWorks,
  kFallback,  // works, in place of a preferred family that does not or is not wanted
  kOff,       // not needed or not wanted
  kFailed,
};

constexpr const char* ConditionName(FamilyCondition condition) {
  switch (condition) {
    case FamilyCondition::kWorks:
      return "works";
    case FamilyCondition::kFallback:
      return "fallback";
    case FamilyCondition::kOff:
      return "off";
    case FamilyCondition::kFailed:
      return "failed";
  }
  return "";
}

struct FamilyState {
  std::string name;
  FamilyCondition state = FamilyCondition::kOff;
  std::string why;     // of kOff and kFailed, and why it is a fallback
  std::string remedy;  // empty: nothing to do
  std::string cost;
  std::string without;  // what is lost when it does not run
};

}  // namespace sonde::kernel
