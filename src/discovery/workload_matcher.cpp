// SPDX-License-Identifier: Apache-2.0
#include "discovery/workload_matcher.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "discovery/matcher.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/process.h"

namespace sonde::discovery {
namespace {

// "nginx" is "nginx.service", as systemctl has it.
class SystemdUnitMatcher final : public Matcher {
 public:
  explicit SystemdUnitMatcher(std::string glob) : glob_(std::move(glob)) {
    if (glob_.find_first_of(".*?[") == std::string::npos) glob_ += ".service";
  }
  bool Matches(const ProcessFacts& facts) const override {
    const std::string& unit = facts.around.membership.unit;
    return !unit.empty() && fnmatch(glob_.c_str(), unit.c_str(), 0) == 0;
  }
  uint32_t fields() const override { return kFieldWorkload; }

 private:
  std::string glob_;
};

// What only the container's runtime knows.
class DescriptionMatcher : public Matcher {
 public:
  bool Undecided(const ProcessFacts& facts) const override {
    return facts.around.container == nullptr && facts.around.pending;
  }
  uint32_t fields() const override { return kFieldWorkload; }
};

// The name, or the id: whole, or as its runtime's client shows it, the first twelve digits.
class ContainerMatcher final : public DescriptionMatcher {
 public:
  explicit ContainerMatcher(std::string glob) : glob_(std::move(glob)) {}
  bool Matches(const ProcessFacts& facts) const override {
    const std::string& id = facts.around.membership.container_id;
    if (id.empty()) return false;
    constexpr size_t kShortId = 12;
    return MatchesText(id) || MatchesText(id.substr(0, kShortId)) ||
           (facts.around.container != nullptr && MatchesText(facts.around.container->name));
  }

 private:
  bool MatchesText(const std::string& text) const {
    return fnmatch(glob_.c_str(), text.c_str(), 0) == 0;
  }

  std::string glob_;
};

// "name" or "name:tag"; '*' also matches '/'. A pattern without '/' is compared with what follows
// the name's last '/'.
class ContainerImageMatcher final : public DescriptionMatcher {
 public:
  explicit ContainerImageMatcher(std::string glob)
      : glob_(std::move(glob)), base_name_(glob_.find('/') == std::string::npos) {}
  bool Matches(const ProcessFacts& facts) const override {
    if (facts.around.container == nullptr || facts.around.container->image_name.empty())
      return false;
    std::string name = facts.around.container->image_name;
    if (base_name_) name.erase(0, name.rfind('/') + 1);  // npos + 1 == 0
    return MatchesText(name) ||
           std::ranges::any_of(facts.around.container->image_tags, [&](const std::string& tag) {
             return MatchesText(name + ":" + tag);
           });
  }

 private:
  bool MatchesText(const std::string& text) const {
    return fnmatch(glob_.c_str(), text.c_str(), 0) == 0;
  }

  std::string glob_;
  bool base_name_;
};

// Without a value: there at all.
class ContainerLabelMatcher final : public DescriptionMatcher {
 public:
  ContainerLabelMatcher(std::string key, std::optional<std::string> value)
      : key_(std::move(key)), value_(std::move(value)) {}
  bool Matches(const ProcessFacts& facts) const override {
    return facts.around.container != nullptr &&
           std::ranges::any_of(facts.around.container->labels, [this](const auto& label) {
             return label.first == key_ && (!value_ || label.second == *value_);
           });
  }

 private:
  std::string key_;
  std::optional<std::string> value_;
};

}  // namespace

MadeMatcher MakeSystemdUnitMatcher(const Selector& selector) {
  if (selector.pattern.empty()) return Refused(selector, "a pattern such as nginx.service");
  return std::make_unique<SystemdUnitMatcher>(selector.pattern);
}

MadeMatcher MakeContainerMatcher(const Selector& selector) {
  if (selector.pattern.empty()) return Refused(selector, "a pattern such as shop-*");
  return std::make_unique<ContainerMatcher>(selector.pattern);
}

MadeMatcher MakeContainerImageMatcher(const Selector& selector) {
  if (selector.pattern.empty()) return Refused(selector, "a pattern such as */shop:*");
  return std::make_unique<ContainerImageMatcher>(selector.pattern);
}

MadeMatcher MakeContainerLabelMatcher(const Selector& selector) {
  const size_t equals = selector.pattern.find('=');
  std::string key = selector.pattern.substr(0, equals);
  if (key.empty()) return Refused(selector, "KEY or KEY=VALUE");
  std::optional<std::string> value;
  if (equals != std::string::npos) value = selector.pattern.substr(equals + 1);
  return std::make_unique<ContainerLabelMatcher>(std::move(key), std::move(value));
}

}  // namespace sonde::discovery
