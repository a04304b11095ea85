// SPDX-License-Identifier: Apache-2.0
// `sonde replay FILE`: a recording or a packet capture through the same pipeline. Needs no
// privileges.
#pragma once

#include "config/invocation.h"

namespace sonde::agent {

int Replay(const config::Invocation& invocation);

}  // namespace sonde::agent
