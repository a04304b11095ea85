// SPDX-License-Identifier: Apache-2.0
// Conditions on what surrounds a process: its systemd unit, its container.
#pragma once

#include "discovery/matcher.h"
#include "sonde/config/config.h"

namespace sonde::discovery {

MadeMatcher MakeSystemdUnitMatcher(const Selector& selector);
MadeMatcher MakeContainerMatcher(const Selector& selector);
MadeMatcher MakeContainerImageMatcher(const Selector& selector);
MadeMatcher MakeContainerLabelMatcher(const Selector& selector);

}  // namespace sonde::discovery
