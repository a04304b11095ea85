// SPDX-License-Identifier: Apache-2.0
// `sonde processes`: what could be traced on this host, and what the given selectors would choose.
#pragma once

#include "config/invocation.h"

namespace sonde::agent {

int Processes(const config::Invocation& invocation);

}  // namespace sonde::agent
