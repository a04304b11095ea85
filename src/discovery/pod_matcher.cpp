// SPDX-License-Identifier: Apache-2.0
#include "discovery/pod_matcher.h"

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "discovery/matcher.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"
#include "sonde/pipeline/workload.h"

namespace sonde::discovery {
namespace {

class PodFactMatcher final : public Matcher {
 public:
  using Test = std::function<bool(const PodFacts&)>;
  // `owners`: what is asked may still come when the pod is known already.
  PodFactMatcher(Test test, bool owners) : test_(std::move(test)), owners_(owners) {}

  bool Matches(const ProcessFacts& facts) const override {
    return facts.around.pod != nullptr && test_(*facts.around.pod);
  }
  uint32_t fields() const override { return kFieldWorkload; }
  bool Undecided(const ProcessFacts& facts) const override {
    return facts.around.pending && (owners_ || facts.around.pod == nullptr) &&
           !facts.around.membership.pod_uid.empty();
  }

 private:
  Test test_;
  bool owners_;
};

bool Fits(const std::string& glob, const std::string& text) {
  return !text.empty() && fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

MadeMatcher Make(PodFactMatcher::Test test, bool owners = false) {
  return std::make_unique<PodFactMatcher>(std::move(test), owners);
}

}  // namespace

MadeMatcher MakeNamespaceMatcher(const Selector& selector) {
  if (selector.pattern.empty()) return Refused(selector, "a pattern such as shop-*");
  return Make(
      [glob = selector.pattern](const PodFacts& pod) { return Fits(glob, pod.namespace_name); });
}

MadeMatcher MakePodMatcher(const Selector& selector) {
  if (selector.pattern.empty()) return Refused(selector, "a pattern such as web-*");
  return Make([glob = selector.pattern](const PodFacts& pod) { return Fits(glob, pod.name); });
}

MadeMatcher MakePodLabelMatcher(const Selector& selector) {
  const size_t equals = selector.pattern.find('=');
  const std::string key = selector.pattern.substr(0, equals);
  if (key.empty()) return Refused(selector, "KEY or KEY=VALUE");
  const bool any = equals == std::string::npos;
  const std::string value = any ? "" : selector.pattern.substr(equals + 1);
  return Make([key, value, any](const PodFacts& pod) {
    return std::ranges::any_of(pod.labels, [&](const auto& label) {
      return label.first == key && (any || label.second == value);
    });
  });
}

MadeMatcher MakeWorkloadMatcher(const Selector& selector) {
  const size_t slash = selector.pattern.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == selector.pattern.size()) {
    return Refused(selector, "KIND/NAME such as deployment/shop");
  }
  const std::string kind = selector.pattern.substr(0, slash);
  const std::string glob = selector.pattern.substr(slash + 1);
  const auto is_kind = [kind](const std::string& other) {
    return strcasecmp(kind.c_str(), other.c_str()) == 0;
  };
  return Make(
      [is_kind, glob](const PodFacts& pod) {
        if (is_kind("Pod") && Fits(glob, pod.name)) return true;
        return std::ranges::any_of(pod.owners, [&](const PodOwner& owner) {
          return is_kind(owner.kind) && Fits(glob, owner.name);
        });
      },
      true);
}

}  // namespace sonde::discovery
