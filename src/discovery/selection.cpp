// SPDX-License-Identifier: Apache-2.0
#include "discovery/selection.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "discovery/matcher.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

std::string RuleText(const Selector& selector, bool exclude) {
  std::string text = exclude ? "excluded by --exclude " : "--";
  text.append(KindName(selector.kind));
  if (!selector.pattern.empty()) text.append(exclude ? "=" : " ").append(selector.pattern);
  return text;
}

}  // namespace

Result<Selection> Selection::Create(const DiscoveryOptions& options) {
  Selection selection;
  for (const Selector& selector : options.include) {
    if (Status status = selection.Add(selector, false); !status.ok()) return status;
  }
  for (const Selector& selector : options.exclude) {
    if (Status status = selection.Add(selector, true); !status.ok()) return status;
  }
  selection.opt_key_ = options.opt_annotation;
  if (!selection.opt_key_.empty()) selection.fields_ |= kFieldWorkload;
  return selection;
}

Status Selection::Add(const Selector& selector, bool exclude) {
  auto matcher = MakeMatcher(selector);
  if (!matcher.ok()) return matcher.status();
  fields_ |= (*matcher)->fields();
  if (!(*matcher)->env_name().empty()) wanted_env_.emplace_back((*matcher)->env_name());
  Rule rule{.matcher = std::move(*matcher), .text = RuleText(selector, exclude)};
  if (exclude) {
    exclusions_.push_back(std::move(rule));
    return absl::OkStatus();
  }
  if (selector.kind == SelectorKind::kPid) {
    pids_.push_back(static_cast<uint32_t>(std::stoul(selector.pattern)));  // checked by its matcher
  }
  auto group = std::ranges::find_if(
      groups_, [&](const Group& known) { return known.kind == selector.kind; });
  if (group == groups_.end()) {
    group = groups_.insert(groups_.end(), Group{.kind = selector.kind, .rules = {}});
  }
  group->rules.push_back(std::move(rule));
  return absl::OkStatus();
}

bool Selection::Uses(SelectorKind kind) const {
  return std::ranges::any_of(groups_, [kind](const Group& group) { return group.kind == kind; });
}

const Selection::Rule* Selection::Excluding(const ProcessFacts& facts) const {
  const auto rule = std::ranges::find_if(
      exclusions_, [&](const Rule& known) { return known.matcher->Matches(facts); });
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
  return std::ranges::any_of(exclusions_,
                             [&](const Rule& rule) { return rule.matcher->Undecided(facts); });
}

Verdict Selection::Decide(const ProcessFacts& facts) const {
  if (const Rule* rule = Excluding(facts)) {
    return {.selected = false, .excluded = true, .waits = false, .rule = rule->text};
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
  Verdict verdict;
  for (const Group& group : groups_) {
    const auto rule = std::ranges::find_if(
        group.rules, [&](const Rule& known) { return known.matcher->Matches(facts); });
    if (rule == group.rules.end()) return {.rule = "no rule matches"};
    verdict.rule.append(verdict.rule.empty() ? "" : " ").append(rule->text);
  }
  verdict.selected = !groups_.empty();
  if (!verdict.selected) verdict.rule = "no rule matches";
  return verdict;
}

bool Selection::PossibleWithoutPorts(const ProcessFacts& facts) const {
  if (Excluding(facts) != nullptr) return false;
  if (Opted(facts) == true) return true;
  if (groups_.empty()) return false;
  return std::ranges::all_of(groups_, [&](const Group& group) {
    return group.kind == SelectorKind::kPort ||
           std::ranges::any_of(group.rules,
                               [&](const Rule& rule) { return rule.matcher->Matches(facts); });
  });
}

}  // namespace sonde::discovery
