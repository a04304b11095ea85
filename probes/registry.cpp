// SPDX-License-Identifier: Apache-2.0
#include "probes/registry.h"

#include <span>

#include "sonde/probe/family.h"

namespace sonde::probe {
namespace {

const Family* const kFamilies[] = {&kProcess, &kTcpState, &kSockLength, &kSysExit};

}  // namespace

std::span<const Family* const> Families() { return kFamilies; }

}  // namespace sonde::probe
