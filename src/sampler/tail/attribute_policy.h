// SPDX-License-Identifier: Apache-2.0
// string_attribute, numeric_attribute and boolean_attribute: whether any span of the trace, or its
// resource, has a value.
#pragma once

#include <memory>

#include "sampler/tail/policy.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::sampler {

// Refuses regular expressions that are none.
Result<std::unique_ptr<Policy>> MakeAttributePolicy(const TailPolicy& options);

}  // namespace sonde::sampler
