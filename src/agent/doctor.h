// SPDX-License-Identifier: Apache-2.0
// `sonde doctor`: what this host allows, family by family, and what would fix it.
#pragma once

#include "config/invocation.h"

namespace sonde::agent {

int Doctor(const config::Invocation& invocation);

}  // namespace sonde::agent
