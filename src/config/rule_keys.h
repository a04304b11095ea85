// SPDX-License-Identifier: Apache-2.0
// sonde.discovery.include[] and exclude[]: rules with selectors of their own and, for those that
// include, settings of their own.
#pragma once

#include "config/key.h"

namespace sonde::config {

// `sonde.discovery.include` and `exclude` as lists; after the keys of the sections of those names.
void AddRuleListKeys(KeyTable& t);

// What stands in a rule of include[].
const KeyTable& RuleKeys();

}  // namespace sonde::config
