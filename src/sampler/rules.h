// SPDX-License-Identifier: Apache-2.0
// Head sampling by what a span says: composite/development's rule_based, per route, service or any
// other attribute. One thread.
#pragma once

#include <re2/re2.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sampler/choice.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::sampler {

class Rules {
 public:
  static Result<Rules> Create(const std::vector<SamplingRule>& options);

  // The sampler of the first rule that fits; null: none does. Valid as long as this object.
  Choice* Find(const Span& span);

 private:
  struct Rule {
    std::string key;
    std::vector<std::string> values;
    std::shared_ptr<const re2::RE2> included;  // null: everything; shared by copies, immutable
    std::shared_ptr<const re2::RE2> excluded;  // null: nothing
    std::vector<SpanKind> kinds;               // empty: all
    Choice choice;
  };
  static bool Fits(const Rule& rule, const Span& span);

  std::vector<Rule> rules_;
};

}  // namespace sonde::sampler
