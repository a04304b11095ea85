// SPDX-License-Identifier: Apache-2.0
// ${NAME}, ${env:NAME} and ${NAME:-default} in configuration values, by the rules of
// OpenTelemetry's declarative configuration ("Environment variable substitution"): `$$` is a dollar
// sign, an unset or empty variable gives the default or nothing, the result is not substituted
// again.
#pragma once

#include <string>
#include <string_view>

#include "config/environment.h"
#include "sonde/base/result.h"

namespace sonde::config {

// The value, or kInvalidArgument with what is wrong with the reference.
Result<std::string> Substitute(std::string_view text, const Environment& environment);

}  // namespace sonde::config
