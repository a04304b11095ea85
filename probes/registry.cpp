// SPDX-License-Identifier: Apache-2.0
// Every probe family, preferred ones first within each part.
#include "probes/manifests.h"

namespace sonde::probe {
namespace {

constexpr const Family* kFamilies[] = {&kSockLength, &kSysExit, &kProcess, &kTcpState};

}  // namespace

std::span<const Family* const> Families() { return kFamilies; }

}  // namespace sonde::probe
