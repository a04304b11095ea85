// SPDX-License-Identifier: Apache-2.0
// The selectors and exclusions of the configuration, compiled: of one kind alternatives, of
// different kinds all must match, any exclusion refuses. Knows nothing of inheritance: that is
// Discovery's. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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
  std::string rule;  // "--exe */nginx", "excluded by --exclude exe=*/curl", "no rule matches"
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
  bool Uses(SelectorKind kind) const;  // as a selector
  bool empty() const { return groups_.empty() && opt_key_.empty(); }
  const std::vector<uint32_t>& pids() const { return pids_; }

 private:
  struct Rule {
    std::unique_ptr<Matcher> matcher;
    std::string text;
  };
  struct Group {
    SelectorKind kind;
    std::vector<Rule> rules;
  };

  Status Add(const Selector& selector, bool exclude);
  const Rule* Excluding(const ProcessFacts& facts) const;
  bool MayExclude(const ProcessFacts& facts) const;
  // What its pod, or else its namespace, says of itself; empty: nothing.
  std::optional<bool> Opted(const ProcessFacts& facts) const;

  std::vector<Group> groups_;
  std::vector<Rule> exclusions_;
  std::string opt_key_;  // DiscoveryOptions::opt_annotation
  std::vector<std::string> wanted_env_;
  std::vector<uint32_t> pids_;
  uint32_t fields_ = 0;
};

}  // namespace sonde::discovery
