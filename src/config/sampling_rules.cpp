// SPDX-License-Identifier: Apache-2.0
#include "config/sampling_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr size_t kMaxRules = 1000;
constexpr std::array<std::string_view, 5> kSpanKinds{"internal", "server", "client", "producer",
                                                     "consumer"};
constexpr std::string_view kSamplers = "one of always_on, always_off, probability, rate_limiting";
constexpr double kMaxRate = 1e6;

// Reads one rule; says what is wrong once.
class RuleReader {
 public:
  RuleReader(const Reading& in, SamplingRule& rule) : in_(in), rule_(rule) {}

  bool Read(const YamlNode& node) {
    if (!node.is_map()) return Wrong("a rule with a sampler", node);
    bool has_sampler = false;
    for (const auto& [name, line, value] : node.entries) {
      if (name == "sampler") {
        has_sampler = true;
        if (!Sampler(value)) return false;
      } else if (!value.is_null() && !Condition(name, value)) {
        return false;
      }
    }
    if (!has_sampler) in_.Reject("a rule needs a sampler");
    return has_sampler;
  }

 private:
  bool Wrong(std::string_view expected, const YamlNode& got) const {
    in_.Expected(std::string(expected), got);
    return false;
  }
  bool Refuse(const std::string& text) const {
    in_.Reject(text);
    return false;
  }

  bool Condition(const std::string& name, const YamlNode& value) {
    if (name == "span_kinds") return SpanKinds(value);
    if (name == "attribute_values") return Attribute(value, {{"values", &rule_.values}}, true);
    if (name == "attribute_patterns") {
      return Attribute(value, {{"included", &rule_.included}, {"excluded", &rule_.excluded}},
                       false);
    }
    if (name == "parent") {
      return Refuse("a rule cannot look at the parent here; put the rules under parent_based.root");
    }
    return Refuse("a rule has no " + name +
                  "; expected attribute_values, attribute_patterns, span_kinds or sampler");
  }

  using List = std::pair<std::string_view, std::vector<std::string>*>;
  bool Attribute(const YamlNode& node, const std::vector<List>& lists, bool needed) {
    if (!rule_.key.empty()) {
      return Refuse("a rule has attribute_values or attribute_patterns, not both");
    }
    if (!node.is_map()) return Wrong("a map with key", node);
    for (const auto& [name, line, value] : node.entries) {
      const auto list = std::ranges::find(lists, std::string_view(name), &List::first);
      if (name == "key" && value.is_scalar()) {
        rule_.key = value.text;
      } else if (list == lists.end()) {
        return Refuse("an attribute of a rule has no " + name);
      } else if (!value.is_null() && !Texts(value, *list->second)) {
        return false;
      }
    }
    if (rule_.key.empty()) return Refuse("an attribute of a rule needs its key");
    if (needed && rule_.values.empty()) return Refuse("attribute_values needs values");
    return true;
  }

  bool Texts(const YamlNode& node, std::vector<std::string>& out) const {
    if (!node.is_sequence()) return Wrong("a list", node);
    for (const YamlNode& item : node.items) {
      if (!item.is_scalar()) return Wrong("a text", item);
      out.push_back(item.text);
    }
    return true;
  }

  bool SpanKinds(const YamlNode& node) {
    if (!Texts(node, rule_.span_kinds)) return false;
    for (const std::string& kind : rule_.span_kinds) {
      if (std::ranges::find(kSpanKinds, kind) == kSpanKinds.end()) {
        return Wrong("internal, server, client, producer or consumer", YamlNode::Scalar(kind));
      }
    }
    return true;
  }

  bool Sampler(const YamlNode& node) {
    if (!node.is_map() || node.entries.size() != 1) return Wrong(kSamplers, node);
    const auto& [name, line, value] = node.entries[0];
    SamplerChoice& choice = rule_.sampler;
    if (name == "probability") {
      choice.kind = "trace_id_ratio_based";
      return Number(value, "ratio", choice.ratio, [](double n) { return n >= 0 && n <= 1; });
    }
    choice.kind = name;
    if (name == "rate_limiting") {
      return Number(value, "traces_per_second", choice.traces_per_second,
                    [](double n) { return n > 0 && n <= kMaxRate; });
    }
    if (name != "always_on" && name != "always_off") {
      return Wrong(kSamplers, YamlNode::Scalar(name));
    }
    const bool empty = value.is_null() || (value.is_map() && value.entries.empty());
    return empty || Wrong("nothing below " + name, value);
  }

  bool Number(const YamlNode& value, const std::string& name, double& out,
              bool (*valid)(double)) const {
    if (value.is_null()) return true;
    const YamlNode* number = value.Find(name);
    if (!value.is_map() || number == nullptr || value.entries.size() != 1) {
      return Wrong(name, value);
    }
    const auto parsed = number->is_scalar() ? ParseNumber(number->text) : std::nullopt;
    if (!parsed || !valid(*parsed)) return Wrong("a valid " + name, *number);
    out = *parsed;
    return true;
  }

  const Reading& in_;
  SamplingRule& rule_;
};

YamlNode One(std::string name, YamlNode value) {
  YamlNode map = YamlNode::Map();
  map.Add(std::move(name), std::move(value));
  return map;
}

void AddList(const char* name, const std::vector<std::string>& texts, YamlNode& map) {
  if (texts.empty()) return;
  YamlNode list = YamlNode::Sequence();
  for (const std::string& text : texts) list.items.push_back(YamlNode::Scalar(text, true));
  map.Add(name, std::move(list));
}

YamlNode WriteSampler(const SamplerChoice& choice, const std::string& origin) {
  const bool ratio = choice.kind == "trace_id_ratio_based";
  if (!ratio && choice.kind != "rate_limiting") {
    YamlNode empty = YamlNode::Map();
    empty.comment = origin;
    return One(choice.kind, std::move(empty));
  }
  YamlNode number = YamlNode::Scalar(FormatNumber(ratio ? choice.ratio : choice.traces_per_second));
  number.comment = origin;
  return One(ratio ? "probability" : choice.kind,
             One(ratio ? "ratio" : "traces_per_second", std::move(number)));
}

}  // namespace

bool ReadSamplingRules(const YamlNode& node, const Reading& in, std::vector<SamplingRule>& out) {
  const YamlNode* based = node.Find("rule_based");
  const YamlNode* rules = based == nullptr ? nullptr : based->Find("rules");
  const bool shaped = rules != nullptr && rules->is_sequence() && node.entries.size() == 1 &&
                      based->entries.size() == 1 && rules->items.size() <= kMaxRules;
  if (!shaped) {
    in.Expected("rule_based with a list of rules below " + std::string(kCompositeSampler), node);
    return false;
  }
  out.clear();
  for (size_t i = 0; i < rules->items.size(); ++i) {
    Reading at = in;
    at.path = in.path + "." + std::string(kCompositeSampler) + ".rule_based.rules[" +
              std::to_string(i) + "]";
    at.origin.line = rules->items[i].line;
    if (!RuleReader(at, out.emplace_back()).Read(rules->items[i])) return false;
  }
  return true;
}

YamlNode WriteSamplingRules(const std::vector<SamplingRule>& rules, const std::string& origin) {
  YamlNode list = YamlNode::Sequence();
  for (const SamplingRule& rule : rules) {
    YamlNode item = YamlNode::Map();
    if (!rule.key.empty()) {
      YamlNode attribute = One("key", YamlNode::Scalar(rule.key, true));
      AddList("values", rule.values, attribute);
      AddList("included", rule.included, attribute);
      AddList("excluded", rule.excluded, attribute);
      item.Add(rule.values.empty() ? "attribute_patterns" : "attribute_values",
               std::move(attribute));
    }
    AddList("span_kinds", rule.span_kinds, item);
    item.Add("sampler", WriteSampler(rule.sampler, origin));
    list.items.push_back(std::move(item));
  }
  return One("rule_based", One("rules", std::move(list)));
}

Json SamplingRulesSchema() {
  const Json texts = {{"type", "array"},
                      {"items", {{"type", Json::array({"string", "number", "boolean"})}}}};
  const Json empty = {{"type", Json::array({"object", "null"})}, {"maxProperties", 0}};
  const auto object = [](Json properties) {
    return Json{{"type", Json::array({"object", "null"})},
                {"properties", std::move(properties)},
                {"additionalProperties", false}};
  };
  Json sampler = object(
      {{"always_on", empty},
       {"always_off", empty},
       {"probability", object({{"ratio", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}}})},
       {"rate_limiting", object({{"traces_per_second",
                                  {{"type", "number"}, {"minimum", 0}, {"maximum", kMaxRate}}}})}});
  const Json key = {{"type", "string"}, {"minLength", 1}};
  Json rule = object(
      {{"attribute_values", object({{"key", key}, {"values", texts}})},
       {"attribute_patterns", object({{"key", key}, {"included", texts}, {"excluded", texts}})},
       {"span_kinds", {{"type", "array"}, {"items", {{"enum", kSpanKinds}}}}},
       {"sampler", std::move(sampler)}});
  rule["required"] = Json::array({"sampler"});
  Json based = object({{"rules", {{"type", "array"}, {"items", std::move(rule)}}}});
  based["required"] = Json::array({"rules"});
  Json composite = object({{"rule_based", std::move(based)}});
  composite["required"] = Json::array({"rule_based"});
  return composite;
}

}  // namespace sonde::config
