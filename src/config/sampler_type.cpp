// SPDX-License-Identifier: Apache-2.0
#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/sampling_rules.h"
#include "config/telemetry_types.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kSamplerKey = "tracer_provider.sampler";
constexpr double kMaxRate = 1e6;
constexpr char kRuleBased[] = "rule_based";  // as SamplerChoice says it

// The branches of parent_based.
struct Branch {
  const char* name;
  SamplerChoice SamplerOptions::* choice;
};
constexpr std::array<Branch, 5> kBranches{{
    {"root", &SamplerOptions::root},
    {"remote_parent_sampled", &SamplerOptions::remote_parent_sampled},
    {"remote_parent_not_sampled", &SamplerOptions::remote_parent_not_sampled},
    {"local_parent_sampled", &SamplerOptions::local_parent_sampled},
    {"local_parent_not_sampled", &SamplerOptions::local_parent_not_sampled},
}};

YamlNode One(std::string name, YamlNode value) {
  YamlNode map = YamlNode::Map();
  map.Add(std::move(name), std::move(value));
  return map;
}

// Samplers with a number: what it is called and how large it may be.
struct Setting {
  const char* sampler;
  const char* name;
  const char* what;
  double max;
  double SamplerChoice::* value;
};
constexpr std::array<Setting, 2> kSettings{{
    {"trace_id_ratio_based", "ratio", "a number from 0 to 1", 1, &SamplerChoice::ratio},
    {"rate_limiting", "traces_per_second", "a number above 0", kMaxRate,
     &SamplerChoice::traces_per_second},
}};

const Setting* SettingOf(std::string_view sampler) {
  const auto* found = std::ranges::find(kSettings, sampler, &Setting::sampler);
  return found == kSettings.end() ? nullptr : found;
}

bool InRange(double value, const Setting& setting) {
  const bool positive = setting.value == &SamplerChoice::traces_per_second;
  return (positive ? value > 0 : value >= 0) && value <= setting.max;
}

class SamplerType final : public ValueType {
 public:
  explicit SamplerType(Member<SamplerOptions> member) : member_(member) {}
  std::string Describe() const override {
    return "one of always_on, always_off, trace_id_ratio_based, rate_limiting, parent_based, "
           "composite/development";
  }

  void Read(const YamlNode& node, const Reading& in) const override {
    SamplerOptions sampler;
    if (!ReadSampler(node, in, sampler)) return;
    member_(in.draft) = sampler;
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    const SamplerOptions& sampler = member_(draft);
    const std::string origin = OriginOf(origins, key);
    if (!sampler.parent_based) return WriteRoot(sampler, origin);
    YamlNode branches = YamlNode::Map();
    const SamplerOptions defaults;
    for (const Branch& branch : kBranches) {
      const SamplerChoice& choice = sampler.*branch.choice;
      const bool usual = choice.kind == (defaults.*branch.choice).kind;
      if (usual && branch.choice != &SamplerOptions::root) continue;
      const bool root = branch.choice == &SamplerOptions::root;
      branches.Add(branch.name, root ? WriteRoot(sampler, origin) : WriteChoice(choice, origin));
    }
    return One("parent_based", std::move(branches));
  }

  Json Schema() const override {
    const Json empty = {{"type", Json::array({"object", "null"})}, {"maxProperties", 0}};
    Json choices = {{"always_on", empty}, {"always_off", empty}};
    for (const Setting& setting : kSettings) {
      choices[setting.sampler] = {
          {"type", Json::array({"object", "null"})},
          {"properties",
           {{setting.name, {{"type", "number"}, {"minimum", 0}, {"maximum", setting.max}}}}},
          {"additionalProperties", false}};
    }
    const Json choice = {{"type", "object"},
                         {"properties", choices},
                         {"additionalProperties", false},
                         {"minProperties", 1},
                         {"maxProperties", 1}};
    Json branches = Json::object();
    for (const Branch& branch : kBranches) branches[branch.name] = choice;
    Json sampler = choice;
    sampler["properties"][std::string(kCompositeSampler)] = SamplingRulesSchema();
    branches["root"] = sampler;
    sampler["properties"]["parent_based"] = {{"type", Json::array({"object", "null"})},
                                             {"properties", branches},
                                             {"additionalProperties", false}};
    return sampler;
  }

  // OTEL_TRACES_SAMPLER names; rate_limiting is sonde's own addition.
  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer) const override {
    std::string_view name = values.at(0);
    const bool parent_based = name.starts_with("parentbased_");
    if (parent_based) name.remove_prefix(std::string_view("parentbased_").size());
    YamlNode root;
    if (name == "always_on" || name == "always_off" || name == "rate_limiting") {
      root = One(std::string(name), {});
    } else if (name == "traceidratio") {
      root = One("trace_id_ratio_based", {});
    } else {
      return absl::InvalidArgumentError(
          "expected always_on, always_off, traceidratio or rate_limiting, with or without "
          "parentbased_ before it");
    }
    return parent_based ? One("parent_based", One("root", std::move(root))) : root;
  }

 private:
  static YamlNode WriteRoot(const SamplerOptions& sampler, const std::string& origin) {
    if (sampler.root.kind != kRuleBased) return WriteChoice(sampler.root, origin);
    return One(std::string(kCompositeSampler), WriteSamplingRules(sampler.rules, origin));
  }

  static YamlNode WriteChoice(const SamplerChoice& choice, const std::string& origin) {
    YamlNode body = YamlNode::Map();
    if (const Setting* setting = SettingOf(choice.kind)) {
      YamlNode value = YamlNode::Scalar(FormatNumber(choice.*setting->value));
      value.comment = origin;
      body.Add(setting->name, std::move(value));
    } else {
      body.comment = origin;
    }
    return One(choice.kind, std::move(body));
  }

  bool ReadSampler(const YamlNode& node, const Reading& in, SamplerOptions& out) const {
    const bool one = node.is_map() && node.entries.size() == 1;
    out.parent_based = one && node.entries[0].key == "parent_based";
    if (!out.parent_based) return ReadRoot(node, in, out);
    const YamlNode& branches = node.entries[0].value;
    if (branches.is_null()) return true;
    if (!branches.is_map()) {
      in.Expected("parent_based to be a map with root", branches);
      return false;
    }
    for (const auto& [name, line, child] : branches.entries) {
      const auto* branch = std::ranges::find(kBranches, std::string_view(name), &Branch::name);
      if (branch == kBranches.end()) {
        in.Reject("parent_based has no " + name);
        return false;
      }
      if (child.is_null()) continue;
      SamplerChoice& choice = out.*branch->choice;
      const bool root = branch->choice == &SamplerOptions::root;
      if (root ? !ReadRoot(child, in, out) : !ReadChoice(child, in, choice)) return false;
      if (name.starts_with("local_") && choice.kind == "rate_limiting") {
        in.Reject("parent_based." + name + " cannot be rate_limiting: it is asked about each span");
        return false;
      }
    }
    return true;
  }

  bool ReadRoot(const YamlNode& node, const Reading& in, SamplerOptions& out) const {
    const bool one = node.is_map() && node.entries.size() == 1;
    if (!one || node.entries[0].key != kCompositeSampler) return ReadChoice(node, in, out.root);
    out.root.kind = kRuleBased;
    return ReadSamplingRules(node.entries[0].value, in, out.rules);
  }

  bool ReadChoice(const YamlNode& node, const Reading& in, SamplerChoice& out) const {
    if (!node.is_map() || node.entries.size() != 1) {
      in.Expected(Describe(), node);
      return false;
    }
    const auto& [name, line, value] = node.entries[0];
    out.kind = name;
    if (const Setting* setting = SettingOf(name)) return ReadSetting(value, *setting, in, out);
    if (name != "always_on" && name != "always_off") {
      in.Expected(Describe(), YamlNode::Scalar(name));
      return false;
    }
    if (value.is_null() || (value.is_map() && value.entries.empty())) return true;
    in.Expected("nothing below " + name, value);
    return false;
  }

  static bool ReadSetting(const YamlNode& value, const Setting& setting, const Reading& in,
                          SamplerChoice& out) {
    if (value.is_null()) return true;
    const YamlNode* number = value.Find(setting.name);
    if (!value.is_map() || number == nullptr || value.entries.size() != 1) {
      in.Expected(std::string(setting.sampler) + " to hold " + setting.name, value);
      return false;
    }
    if (number->is_null()) return true;
    const auto parsed = number->is_scalar() ? ParseNumber(number->text) : std::nullopt;
    if (!parsed || !InRange(*parsed, setting)) {
      in.Expected(std::string(setting.name) + " to be " + setting.what, *number);
      return false;
    }
    out.*setting.value = *parsed;
    return true;
  }

  Member<SamplerOptions> member_;
};

class SamplerArgumentType final : public ScalarType {
 public:
  std::string Describe() const override {
    return "a ratio from 0 to 1; for rate_limiting traces per second";
  }
  Json Schema() const override { return {{"type", "number"}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    SamplerChoice& root = draft.config.sampler.root;
    const Setting* setting = SettingOf(root.kind);
    if (setting == nullptr) setting = kSettings.begin();
    const auto value = ParseNumber(scalar.text);
    if (!value || !InRange(*value, *setting)) return false;
    // Without OTEL_TRACES_SAMPLER the argument means nothing, and a ratio of the file stays.
    const auto chosen = draft.origins.find(std::string(kSamplerKey));
    if (chosen != draft.origins.end() && chosen->second.layer == Layer::kEnvironment) {
      root.*setting->value = *value;
    }
    return true;
  }
  YamlNode Get(Draft&) const override { return {}; }
};

}  // namespace

TypePtr SamplerValue(Member<SamplerOptions> member) {
  return std::make_shared<SamplerType>(member);
}
TypePtr SamplerArgument() { return std::make_shared<SamplerArgumentType>(); }

}  // namespace sonde::config
