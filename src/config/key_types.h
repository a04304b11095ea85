// SPDX-License-Identifier: Apache-2.0
// The simple value types of keys. Each is made for one member of the draft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {

using TypePtr = std::shared_ptr<const ValueType>;

template <typename T>
using Member = T& (*)(Draft&);

// What a text must look like: its description, a predicate, and a regular expression for the schema
// (may be empty).
struct TextRule {
  std::string what;
  bool (*valid)(std::string_view) = nullptr;
  std::string pattern;
};

// A value that stands on one line.
class ScalarType : public ValueType {
 public:
  void Read(const YamlNode& node, const Reading& in) const override;
  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override;

 protected:
  // False: not such a value.
  virtual bool Set(const YamlNode& scalar, Draft& draft) const = 0;
  virtual YamlNode Get(Draft& draft) const = 0;
};

// One of a few names.
template <typename E>
class ChoiceType final : public ScalarType {
 public:
  ChoiceType(Member<E> member, std::vector<std::pair<std::string, E>> choices)
      : member_(member), choices_(std::move(choices)) {}

  std::string Describe() const override {
    std::string text;
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (i != 0) text += i + 1 == choices_.size() ? " or " : ", ";
      text += choices_[i].first;
    }
    return text;
  }
  Json Schema() const override {
    Json names = Json::array();
    for (const auto& [name, value] : choices_) names.push_back(name);
    return {{"enum", names}};
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    for (const auto& [name, value] : choices_) {
      if (name != scalar.text) continue;
      member_(draft) = value;
      return true;
    }
    return false;
  }
  YamlNode Get(Draft& draft) const override {
    for (const auto& [name, value] : choices_) {
      if (value == member_(draft)) return YamlNode::Scalar(name);
    }
    return {};
  }

 private:
  Member<E> member_;
  std::vector<std::pair<std::string, E>> choices_;
};

template <typename E>
TypePtr Choice(Member<E> member, std::vector<std::pair<std::string, E>> choices) {
  return std::make_shared<ChoiceType<E>>(member, std::move(choices));
}

TypePtr Text(Member<std::string> member, TextRule rule = {"text", nullptr, ""});
TypePtr Count(Member<size_t> member, uint64_t min, uint64_t max);
TypePtr Switch(Member<std::optional<bool>> member);
TypePtr Flag(Member<bool> member);
// Plain numbers are milliseconds, as OpenTelemetry has it; "5s" is understood too.
TypePtr OtelDuration(Member<Milliseconds> member, Milliseconds min, Milliseconds max);
// A unit is demanded.
TypePtr Duration(Member<Milliseconds> member, Milliseconds min, Milliseconds max);
TypePtr OptionalDuration(Member<std::optional<Milliseconds>> member, Milliseconds min,
                         Milliseconds max);
TypePtr Size(Member<size_t> member, uint64_t min, uint64_t max, bool power_of_two = false);
// `commas`: flags and variables may hold several, separated by commas. `lower`: letters are stored
// in lower case.
struct ListRule {
  TextRule each;
  bool commas = true;
  bool lower = false;
};
TypePtr TextList(Member<std::vector<std::string>> member, ListRule rule);

}  // namespace sonde::config
