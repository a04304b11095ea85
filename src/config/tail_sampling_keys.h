// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/key.h"

namespace sonde::config {

// The rows of sonde.tail_sampling.
void AddTailSamplingKeys(KeyTable& table);

}  // namespace sonde::config
