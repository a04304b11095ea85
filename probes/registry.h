// SPDX-License-Identifier: Apache-2.0
// Every manifest, declared; registry.cpp lists them in order of preference.
#pragma once

#include "sonde/probe/family.h"

namespace sonde::probe {

extern const Family kSockLength;
extern const Family kSysExit;
extern const Family kProcess;
extern const Family kTcpState;
extern const Family kTls;
extern const Family kMapped;
extern const Family kRuntime;

}  // namespace sonde::probe
