// SPDX-License-Identifier: Apache-2.0
// What of this host explains what sonde may do and what it may not: told by doctor, decides
// nothing.
#pragma once

#include <string>
#include <vector>

namespace sonde::kernel {

struct HostFact {
  std::string name;   // "cgroups", "seccomp" ...
  std::string value;  // "v2", "filter" ...
  std::string means;  // for sonde; empty: nothing
};

// In the order in which they are told; what the host does not say is left out. `root` is prefixed
// to /proc, /sys and /etc, for tests.
std::vector<HostFact> ReadHostFacts(const std::string& root = "");

}  // namespace sonde::kernel
