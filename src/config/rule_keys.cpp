// SPDX-License-Identifier: Apache-2.0
#include "config/rule_keys.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/redaction_keys.h"
#include "config/section.h"
#include "config/selectors.h"
#include "config/telemetry_types.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

bool NotEmpty(std::string_view text) { return !text.empty(); }

RedactionOptions& RedactionOf(Draft& draft) {
  auto& redaction = draft.rule.settings.redaction;
  return redaction ? *redaction : redaction.emplace();
}

KeyTable SelectorKeys() {
  KeyTable t;
  for (const auto& [kind, name, value, doc] : SelectorNames()) {
    t.push_back({std::string(name), "", "", {}, std::string(doc), RuleSelectorList(kind)});
  }
  return t;
}

const KeyTable& ExcludeKeys() {
  static const KeyTable table = SelectorKeys();
  return table;
}

class RuleListType final : public ValueType {
 public:
  RuleListType(Member<std::vector<RuleDraft>> list, const KeyTable& keys)
      : list_(list), keys_(keys) {}

  std::string Describe() const override { return "a list of rules"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected("a map of selectors, or " + Describe(), node);
    std::vector<RuleDraft> rules;
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      Reading at = in;
      at.path += "[" + std::to_string(i) + "]";
      if (item.line != 0) at.origin.line = item.line;
      if (!item.is_map()) return at.Expected("a rule with selectors", item);
      in.draft.rule = {};
      Origins origins;
      ReadSection(keys_, item, in.origin.name, at.path + ".", {in.draft, in.findings, origins});
      in.draft.rule.origins = std::move(origins);
      if (in.draft.rule.selectors.empty()) {
        at.Reject("expected at least one selector, such as exe; all: true matches every process");
      }
      rules.push_back(in.draft.rule);
    }
    list_(in.draft) = std::move(rules);
    in.Accept();
  }

  // Only what was given: a rule has no defaults of its own.
  YamlNode Write(Draft& draft, const Origins& /*origins*/,
                 const std::string& /*key*/) const override {
    if (list_(draft).empty()) return {};
    YamlNode list = YamlNode::Sequence();
    for (const RuleDraft& rule : list_(draft)) {
      draft.rule = rule;
      YamlNode item = YamlNode::Map();
      for (const Key& key : keys_) {
        if (!rule.origins.contains(key.path)) continue;
        item.Add(key.path, key.type->Write(draft, rule.origins, key.path));
      }
      list.items.push_back(std::move(item));
    }
    return list;
  }

  Json Schema() const override { return {{"type", "array"}, {"items", SchemaOf(keys_)}}; }

 private:
  Member<std::vector<RuleDraft>> list_;
  const KeyTable& keys_;
};

}  // namespace

const KeyTable& RuleKeys() {
  static const KeyTable table = [] {
    KeyTable t = SelectorKeys();
    t.push_back({"service_name",
                 "",
                 "",
                 {},
                 "service.name of these processes, unless they say their own.",
                 Text([](Draft& d) -> auto& { return d.rule.settings.service_name; },
                      {"a name", NotEmpty, ""})});
    t.push_back({"sampler",
                 "",
                 "",
                 {},
                 "Which of the traces that begin in these processes are kept, instead of "
                 "tracer_provider.sampler.",
                 SamplerValue([](Draft& d) -> auto& {
                   auto& sampler = d.rule.settings.sampler;
                   return sampler ? *sampler : sampler.emplace();
                 })});
    t.push_back({"exporters",
                 "",
                 "",
                 {},
                 "Exporters that get the spans of these processes, as they are called in the "
                 "metrics: otlp, otlp/2, file, console, zipkin, kafka. []: none.",
                 TextList(
                     [](Draft& d) -> auto& {
                       auto& exporters = d.rule.settings.exporters;
                       return exporters ? *exporters : exporters.emplace();
                     },
                     {.each = {"the name of an exporter", NotEmpty, ""}})});
    AddRedactionKeys(
        t, "",
        {.request_headers = [](Draft& d) -> auto& { return RedactionOf(d).request_headers; },
         .response_headers = [](Draft& d) -> auto& { return RedactionOf(d).response_headers; },
         .query_keys = [](Draft& d) -> auto& { return RedactionOf(d).query_keys; },
         .baggage_keys = [](Draft& d) -> auto& { return RedactionOf(d).baggage_keys; }});
    return t;
  }();
  return table;
}

void AddRuleListKeys(KeyTable& t) {
  t.push_back(
      {"sonde.discovery.include",
       "",
       "",
       {},
       "Instead of selectors: rules, each with selectors and settings of its own. The first "
       "that matches counts.",
       std::make_shared<RuleListType>([](Draft& d) -> auto& { return d.include_rules; },
                                      RuleKeys())});
  t.push_back({"sonde.discovery.exclude",
               "",
               "",
               {},
               "Instead of selectors: rules; what all selectors of one match is never traced.",
               std::make_shared<RuleListType>([](Draft& d) -> auto& { return d.exclude_rules; },
                                              ExcludeKeys())});
}

}  // namespace sonde::config
