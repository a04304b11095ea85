// SPDX-License-Identifier: Apache-2.0
// Conditions on the pod that a process is in.
#pragma once

#include "discovery/matcher.h"
#include "sonde/config/config.h"

namespace sonde::discovery {

MadeMatcher MakeNamespaceMatcher(const Selector& selector);
MadeMatcher MakePodMatcher(const Selector& selector);
MadeMatcher MakePodLabelMatcher(const Selector& selector);
// KIND/NAME of any of the pod's owners; KIND in any case, NAME a glob.
MadeMatcher MakeWorkloadMatcher(const Selector& selector);

}  // namespace sonde::discovery
