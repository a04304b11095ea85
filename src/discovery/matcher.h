// SPDX-License-Identifier: Apache-2.0
// One condition on a process, compiled from a Selector. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {

class Matcher {
 public:
  virtual ~Matcher() = default;
  virtual bool Matches(const ProcessFacts& facts) const = 0;
  // ProcessField bits that Matches() looks at.
  virtual uint32_t fields() const = 0;
  // What it asks for is still being looked for: Matches() may say something else in a moment.
  virtual bool Undecided(const ProcessFacts& /*facts*/) const { return false; }
  // Name of the environment variable that is looked at, or "".
  virtual std::string_view env_name() const { return {}; }
};

// Option name without dashes: "exe".
std::string_view KindName(SelectorKind kind);

using MadeMatcher = Result<std::unique_ptr<Matcher>>;

// kInvalidArgument with the option, the value and what was expected.
MadeMatcher MakeMatcher(const Selector& selector);

// That error; for those who make matchers.
Status Refused(const Selector& selector, std::string_view expected);

}  // namespace sonde::discovery
