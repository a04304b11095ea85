// SPDX-License-Identifier: Apache-2.0
#include "discovery/selection.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/matcher.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

// "--exe */nginx", "exe */nginx".
std::string ConditionText(const Selector& selector, std::string_view before) {
  std::string text(before);
  text.append(KindName(selector.kind));
  if (!selector.pattern.empty()) text.append(" ").append(selector.pattern);
  return text;
}

}  // namespace

Result<Selection> Selection::Create(const DiscoveryOptions& options) {
  Selection selection;
  auto status = selection.Add(options.include, "--", {}, selection.rules_);
  for (size_t i = 0; status.ok() && i < options.rules.size(); ++i) {
    const DiscoveryRule& rule = options.rules[i];
    status = selection.Add(
        rule.selectors, "",
        {.title = "include[" + std::to_string(i) + "]: ", .groups = {}, .settings = rule.settings},
        selection.rules_);
    selection.has_settings_ = true;
  }
  for (size_t i = 0; status.ok() && i < options.exclude.size(); ++i) {
    const Selector& selector = options.exclude[i];
    const std::string title = "excluded by --exclude " + std::string(KindName(selector.kind)) +
                              (selector.pattern.empty() ? "" : "=" + selector.pattern);
    status = selection.Add({selector}, "", {.title = title, .groups = {}}, selection.exclusions_);
  }
  for (size_t i = 0; status.ok() && i < options.exclude_rules.size(); ++i) {
    const std::string title = "excluded by exclude[" + std::to_string(i) + "]";
    status = selection.Add(options.exclude_rules[i], "", {.title = title, .groups = {}},
                           selection.exclusions_);
  }
  if (!status.ok()) return status;
  selection.opt_key_ = options.opt_annotation;
  if (!selection.opt_key_.empty()) selection.fields_ |= kFieldWorkload;
  return selection;
}

// A rule without selectors matches nothing and is not kept.
Status Selection::Add(const std::vector<Selector>& selectors, std::string_view before, Rule rule,
                      std::vector<Rule>& rules) {
  for (const Selector& selector : selectors) {
    auto matcher = MakeMatcher(selector);
    if (!matcher.ok()) return matcher.status();
    fields_ |= (*matcher)->fields();
    if (!(*matcher)->env_name().empty()) wanted_env_.emplace_back((*matcher)->env_name());
    if (selector.kind == SelectorKind::kPid && &rules == &rules_) {
      pids_.push_back(static_cast<uint32_t>(std::stoul(selector.pattern)));  // the matcher checked
    }
    auto group = std::ranges::find(rule.groups, selector.kind, &Group::kind);
    if (group == rule.groups.end()) {
      group = rule.groups.insert(rule.groups.end(), Group{.kind = selector.kind, .conditions = {}});
    }
    group->conditions.push_back(
        {.matcher = *std::move(matcher), .text = ConditionText(selector, before)});
  }
  if (!rule.groups.empty()) rules.push_back(std::move(rule));
  return absl::OkStatus();
}

bool Selection::Rule::Uses(SelectorKind kind) const {
  return std::ranges::find(groups, kind, &Group::kind) != groups.end();
}

bool Selection::Rule::Matches(const ProcessFacts& facts) const {
  return std::ranges::all_of(groups, [&](const Group& group) {
    return std::ranges::any_of(group.conditions, [&](const Condition& condition) {
      return condition.matcher->Matches(facts);
    });
  });
}

std::string Selection::Rule::Text(const ProcessFacts& facts) const {
  std::string text = title;
  for (const Group& group : groups) {
    const auto matching = std::ranges::find_if(group.conditions, [&](const Condition& condition) {
      return condition.matcher->Matches(facts);
    });
    if (matching == group.conditions.end()) continue;
    if (&group != &groups.front()) text += ' ';
    text += matching->text;
  }
  return text;
}

bool Selection::Uses(SelectorKind kind) const {
  return std::ranges::any_of(rules_, [kind](const Rule& rule) { return rule.Uses(kind); });
}

bool Selection::selects_new() const {
  return !opt_key_.empty() || std::ranges::any_of(rules_, [](const Rule& rule) {
    return !rule.Uses(SelectorKind::kPid);
  });
}

const Selection::Rule* Selection::Excluding(const ProcessFacts& facts) const {
  const auto rule =
      std::ranges::find_if(exclusions_, [&](const Rule& known) { return known.Matches(facts); });
  return rule == exclusions_.end() ? nullptr : &*rule;
}

std::optional<bool> Selection::Opted(const ProcessFacts& facts) const {
  const PodFacts* pod = facts.around.pod.get();
  if (opt_key_.empty() || pod == nullptr) return std::nullopt;
  for (const Labels* list :
       {&pod->annotations, &pod->labels, &pod->namespace_annotations, &pod->namespace_labels}) {
    for (const auto& [key, value] : *list) {
      if (key == opt_key_ && (value == "true" || value == "false")) return value == "true";
    }
  }
  return std::nullopt;
}

bool Selection::MayExclude(const ProcessFacts& facts) const {
  const Surroundings& around = facts.around;
  if (!opt_key_.empty() && around.pending && !around.membership.pod_uid.empty()) return true;
  const auto may_match = [&](const Group& group) {
    return std::ranges::any_of(group.conditions, [&](const Condition& condition) {
      return condition.matcher->Undecided(facts) || condition.matcher->Matches(facts);
    });
  };
  return std::ranges::any_of(
      exclusions_, [&](const Rule& rule) { return std::ranges::all_of(rule.groups, may_match); });
}

Verdict Selection::Decide(const ProcessFacts& facts) const {
  if (const Rule* rule = Excluding(facts)) {
    return {.selected = false, .excluded = true, .waits = false, .rule = rule->title};
  }
  const auto opted = Opted(facts);
  if (opted == false) {
    return {.selected = false,
            .excluded = true,
            .waits = false,
            .rule = "excluded by annotation " + opt_key_ + "=false"};
  }
  if (MayExclude(facts)) {
    return {.selected = false,
            .excluded = false,
            .waits = true,
            .rule = "its container is being looked up"};
  }
  if (opted == true) {
    return {.selected = true,
            .excluded = false,
            .waits = false,
            .rule = "annotation " + opt_key_ + "=true"};
  }
  const auto rule =
      std::ranges::find_if(rules_, [&](const Rule& known) { return known.Matches(facts); });
  if (rule == rules_.end()) return {.rule = "no rule matches"};
  return {.selected = true,
          .rule = rule->Text(facts),
          .by_pid = rule->Uses(SelectorKind::kPid),
          .settings = rule->settings};
}

bool Selection::PossibleWithoutPorts(const ProcessFacts& facts) const {
  if (Excluding(facts) != nullptr) return false;
  if (Opted(facts) == true) return true;
  const auto possible = [&](const Group& group) {
    return group.kind == SelectorKind::kPort ||
           std::ranges::any_of(group.conditions, [&](const Condition& condition) {
             return condition.matcher->Matches(facts);
           });
  };
  return std::ranges::any_of(
      rules_, [&](const Rule& rule) { return std::ranges::all_of(rule.groups, possible); });
}

}  // namespace sonde::discovery
