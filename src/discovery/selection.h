// SPDX-License-Identifier: Apache-2.0
// The rules of the configuration, compiled: of one kind alternatives, of different kinds all must
// match. Any excluding rule refuses, then the first including one chooses. Knows nothing of
// inheritance: that is Discovery's. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/matcher.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {

struct Verdict {
  bool selected = false;
  bool excluded = false;  // an exclusion matched; then neither inheritance nor launch helps
  // Not known yet whether an exclusion matches: not selected until then.
  bool waits = false;
  std::string rule;     // "--exe */nginx", "include[0]: exe */nginx", "excluded by --exclude
                        // exe=*/curl", "no rule matches"
  bool by_pid = false;  // chosen by a rule with pids
  std::shared_ptr<const RuleSettings> settings = {};  // of that rule; null: it has none
};

class Selection {
 public:
  static Result<Selection> Create(const DiscoveryOptions& options);

  // `facts` must hold fields() and the variables of wanted_env().
  Verdict Decide(const ProcessFacts& facts) const;
  // Could `facts`, read without kFieldPorts, still be selected? Saves the dearest read for those
  // that cannot.
  bool PossibleWithoutPorts(const ProcessFacts& facts) const;

  uint32_t fields() const { return fields_; }
  const std::vector<std::string>& wanted_env() const { return wanted_env_; }
  bool Uses(SelectorKind kind) const;  // as a selector of some rule
  // Could it select a process that is not there yet?
  bool selects_new() const;
  bool has_settings() const { return has_settings_; }
  bool empty() const { return rules_.empty() && opt_key_.empty(); }
  const std::vector<uint32_t>& pids() const { return pids_; }

 private:
  struct Condition {
    std::unique_ptr<Matcher> matcher;
    std::string text;
  };
  struct Group {
    SelectorKind kind;
    std::vector<Condition> conditions;
  };
  struct Rule {
    std::string title;  // before the conditions that matched
    std::vector<Group> groups;
    std::shared_ptr<const RuleSettings> settings = {};

    bool Uses(SelectorKind kind) const;
    bool Matches(const ProcessFacts& facts) const;
    std::string Text(const ProcessFacts& facts) const;  // if it matches
  };

  Status Add(const std::vector<Selector>& selectors, std::string_view before, Rule rule,
             std::vector<Rule>& rules);
  const Rule* Excluding(const ProcessFacts& facts) const;
  bool MayExclude(const ProcessFacts& facts) const;
  // What its pod, or else its namespace, says of itself; empty: nothing.
  std::optional<bool> Opted(const ProcessFacts& facts) const;

  std::vector<Rule> rules_;
  std::vector<Rule> exclusions_;
  bool has_settings_ = false;
  std::string opt_key_;  // DiscoveryOptions::opt_annotation
  std::vector<std::string> wanted_env_;
  std::vector<uint32_t> pids_;
  uint32_t fields_ = 0;
};

}  // namespace sonde::discovery
