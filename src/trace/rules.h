// SPDX-License-Identifier: Apache-2.0
// Every rule there is, in the order in which they are asked; one line of rules.cpp each.
#pragma once

#include <memory>
#include <vector>

#include "sonde/base/metrics.h"
#include "trace/link_rule.h"

namespace sonde::trace {

// `guesses`: also what is only likely (GuessRule).
std::vector<std::unique_ptr<LinkRule>> MakeRules(bool guesses, MetricRegistry& metrics);

}  // namespace sonde::trace
