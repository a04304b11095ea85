// SPDX-License-Identifier: Apache-2.0
#include "config/key_types.h"

#include <absl/status/status.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/origin.h"
#include "config/text.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

// A schema for a value that is not a string also admits a reference to a variable, which is one
// until it is replaced.
Json OrReference(Json schema) {
  const Json reference = {{"type", "string"}, {"pattern", "^\\$\\{"}};
  return {{"anyOf", Json::array({std::move(schema), reference})}};
}

class TextType final : public ScalarType {
 public:
  TextType(Member<std::string> member, TextRule rule) : member_(member), rule_(std::move(rule)) {}
  std::string Describe() const override { return rule_.what; }
  Json Schema() const override {
    Json schema = {{"type", "string"}};
    if (!rule_.pattern.empty()) schema["pattern"] = rule_.pattern + "|\\$\\{";
    return schema;
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    if (rule_.valid != nullptr && !rule_.valid(scalar.text)) return false;
    member_(draft) = scalar.text;
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    return member_(draft).empty() ? YamlNode{} : YamlNode::Scalar(member_(draft), true);
  }

 private:
  Member<std::string> member_;
  TextRule rule_;
};

class CountType final : public ScalarType {
 public:
  CountType(Member<size_t> member, uint64_t min, uint64_t max)
      : member_(member), min_(min), max_(max) {}
  std::string Describe() const override {
    return "a whole number from " + std::to_string(min_) + " to " + std::to_string(max_);
  }
  Json Schema() const override {
    return OrReference({{"type", "integer"}, {"minimum", min_}, {"maximum", max_}});
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const auto value = ParseUnsigned(scalar.text);
    if (scalar.quoted || !value || *value < min_ || *value > max_) return false;
    member_(draft) = *value;
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    return YamlNode::Scalar(std::to_string(member_(draft)));
  }

 private:
  Member<size_t> member_;
  uint64_t min_;
  uint64_t max_;
};

// `T` is bool, or an optional one, which need not be said.
template <typename T>
class SwitchType final : public ScalarType {
 public:
  explicit SwitchType(Member<T> member) : member_(member) {}
  std::string Describe() const override { return "true or false"; }
  Json Schema() const override { return OrReference({{"type", "boolean"}}); }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const std::string text = Lower(scalar.text);
    if (scalar.quoted || (text != "true" && text != "false")) return false;
    member_(draft) = text == "true";
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    const std::optional<bool> value = member_(draft);
    if (!value) return {};
    return YamlNode::Scalar(*value ? "true" : "false");
  }

 private:
  Member<T> member_;
};

// M is Milliseconds or an optional of it; both can be assigned from Milliseconds.
template <typename M>
class DurationType final : public ScalarType {
 public:
  DurationType(Member<M> member, Milliseconds min, Milliseconds max, bool bare_ms)
      : member_(member), min_(min), max_(max), bare_ms_(bare_ms) {}
  std::string Describe() const override {
    const std::string range = " from " + FormatDuration(min_) + " to " + FormatDuration(max_);
    return (bare_ms_ ? "milliseconds or a time with a unit (500ms, 5s)"
                     : "a time with a unit (500ms, 5s, 2m)") +
           range;
  }
  Json Schema() const override {
    const Json text = {{"type", "string"}, {"pattern", R"(^[0-9.]+(ms|s|m|h|d)$|\$\{)"}};
    if (!bare_ms_) return text;
    const Json number = {{"type", "integer"}, {"minimum", min_.count()}, {"maximum", max_.count()}};
    return {{"anyOf", Json::array({number, text})}};
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const auto value = ParseDuration(scalar.text, bare_ms_);
    if (!value || *value < min_ || *value > max_) return false;
    member_(draft) = *value;
    return true;
  }
  YamlNode Get(Draft& draft) const override {
    const std::optional<Milliseconds> value = member_(draft);
    if (!value) return {};
    return YamlNode::Scalar(bare_ms_ ? std::to_string(value->count()) : FormatDuration(*value));
  }

 private:
  Member<M> member_;
  Milliseconds min_;
  Milliseconds max_;
  bool bare_ms_;
};

class SizeType final : public ScalarType {
 public:
  SizeType(Member<size_t> member, uint64_t min, uint64_t max, bool power_of_two)
      : member_(member), min_(min), max_(max), power_of_two_(power_of_two) {}
  std::string Describe() const override {
    return std::string("a size (64KiB, 8MiB)") + (power_of_two_ ? " that is a power of two" : "") +
           " from " + FormatSize(min_) + " to " + FormatSize(max_);
  }
  Json Schema() const override {
    const Json number = {{"type", "integer"}, {"minimum", min_}, {"maximum", max_}};
    const Json text = {{"type", "string"}, {"pattern", R"(^[0-9.]+([KMG]iB|[kKMG]?B)?$|\$\{)"}};
    return {{"anyOf", Json::array({number, text})}};
  }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const auto value = ParseSize(scalar.text);
    if (!value || *value < min_ || *value > max_) return false;
    if (power_of_two_ && !std::has_single_bit(*value)) return false;
    member_(draft) = *value;
    return true;
  }
  YamlNode Get(Draft& draft) const override { return YamlNode::Scalar(FormatSize(member_(draft))); }

 private:
  Member<size_t> member_;
  uint64_t min_;
  uint64_t max_;
  bool power_of_two_;
};

class TextListType final : public ValueType {
 public:
  TextListType(Member<std::vector<std::string>> member, ListRule rule)
      : member_(member), rule_(std::move(rule)) {}
  std::string Describe() const override { return "a list, each " + rule_.each.what; }
  bool repeats() const override { return true; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    std::vector<std::string> values;
    for (const YamlNode& item : node.items) {
      const bool valid = item.is_scalar() && !item.text.empty() &&
                         (rule_.each.valid == nullptr || rule_.each.valid(item.text));
      if (!valid) return in.Expected(rule_.each.what, item);
      values.push_back(rule_.lower ? Lower(item.text) : item.text);
    }
    member_(in.draft) = std::move(values);
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const std::string& text : member_(draft)) {
      list.items.push_back(YamlNode::Scalar(text, true));
    }
    list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    Json item = {{"type", "string"}, {"minLength", 1}};
    if (!rule_.each.pattern.empty()) item["pattern"] = rule_.each.pattern + "|\\$\\{";
    return {{"type", "array"}, {"items", item}};
  }

  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer) const override {
    YamlNode list = YamlNode::Sequence();
    for (const std::string& value : values) {
      if (!rule_.commas) {
        list.items.push_back(YamlNode::Scalar(value, true));
        continue;
      }
      for (std::string& part : SplitTrimmed(value, ',')) {
        list.items.push_back(YamlNode::Scalar(std::move(part), true));
      }
    }
    return list;
  }

 private:
  Member<std::vector<std::string>> member_;
  ListRule rule_;
};

}  // namespace

std::string OriginOf(const Origins& origins, const std::string& key) {
  const auto found = origins.find(key);
  return found == origins.end() ? Origin{}.ToString() : found->second.ToString();
}

Result<YamlNode> ValueType::FromText(const std::vector<std::string>& values, Layer) const {
  if (values.size() != 1) return absl::InvalidArgumentError("given more than once");
  return YamlNode::Scalar(values[0]);
}

void ScalarType::Read(const YamlNode& node, const Reading& in) const {
  if (!node.is_scalar() || !Set(node, in.draft)) return in.Expected(Describe(), node);
  in.Accept();
}

YamlNode ScalarType::Write(Draft& draft, const Origins& origins, const std::string& key) const {
  YamlNode node = Get(draft);
  if (!node.is_null()) node.comment = OriginOf(origins, key);
  return node;
}

TypePtr Text(Member<std::string> member, TextRule rule) {
  return std::make_shared<TextType>(member, std::move(rule));
}
TypePtr Count(Member<size_t> member, uint64_t min, uint64_t max) {
  return std::make_shared<CountType>(member, min, max);
}
TypePtr Switch(Member<std::optional<bool>> member) {
  return std::make_shared<SwitchType<std::optional<bool>>>(member);
}
TypePtr Flag(Member<bool> member) { return std::make_shared<SwitchType<bool>>(member); }
TypePtr OtelDuration(Member<Milliseconds> member, Milliseconds min, Milliseconds max) {
  return std::make_shared<DurationType<Milliseconds>>(member, min, max, true);
}
TypePtr Duration(Member<Milliseconds> member, Milliseconds min, Milliseconds max) {
  return std::make_shared<DurationType<Milliseconds>>(member, min, max, false);
}
TypePtr OptionalDuration(Member<std::optional<Milliseconds>> member, Milliseconds min,
                         Milliseconds max) {
  return std::make_shared<DurationType<std::optional<Milliseconds>>>(member, min, max, false);
}
TypePtr Size(Member<size_t> member, uint64_t min, uint64_t max, bool power_of_two) {
  return std::make_shared<SizeType>(member, min, max, power_of_two);
}
TypePtr TextList(Member<std::vector<std::string>> member, ListRule rule) {
  return std::make_shared<TextListType>(member, std::move(rule));
}

}  // namespace sonde::config
