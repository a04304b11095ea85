// SPDX-License-Identifier: Apache-2.0
// `sonde.tail_sampling.policies`: what stands under `policies` of the Collector's tail_sampling
// processor.
#include <algorithm>
#include <array>
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
#include "config/key_types.h"
#include "config/origin.h"
#include "config/telemetry_types.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

struct TypeName {
  std::string_view name;
  TailPolicyType type;
};
constexpr std::array<TypeName, 11> kTypes{{
    {"always_sample", TailPolicyType::kAlwaysSample},
    {"latency", TailPolicyType::kLatency},
    {"numeric_attribute", TailPolicyType::kNumericAttribute},
    {"probabilistic", TailPolicyType::kProbabilistic},
    {"status_code", TailPolicyType::kStatusCode},
    {"string_attribute", TailPolicyType::kStringAttribute},
    {"rate_limiting", TailPolicyType::kRateLimiting},
    {"span_count", TailPolicyType::kSpanCount},
    {"boolean_attribute", TailPolicyType::kBooleanAttribute},
    {"and", TailPolicyType::kAnd},
    {"composite", TailPolicyType::kComposite},
}};

std::string TypeNames() {
  std::string names;
  for (const TypeName& each : kTypes) names.append(names.empty() ? "" : ", ").append(each.name);
  return names;
}

std::string_view NameOf(TailPolicyType type) {
  return std::ranges::find(kTypes, type, &TypeName::type)->name;
}

std::optional<int64_t> Integer(const YamlNode& node) {
  if (!node.is_scalar()) return std::nullopt;
  const bool negative = node.text.starts_with('-');
  const auto number = ParseUnsigned(std::string_view(node.text).substr(negative ? 1 : 0));
  if (!number || *number > INT64_MAX) return std::nullopt;
  return negative ? -static_cast<int64_t>(*number) : static_cast<int64_t>(*number);
}

// The settings of one policy, which stand below the name of its type. Says what is wrong once.
class PolicyReader {
 public:
  PolicyReader(const YamlNode& settings, std::string where, const Reading& in)
      : settings_(settings), where_(std::move(where)), in_(in) {}

  void Number(const char* name, int64_t& into) {
    if (const YamlNode* node = Take(name)) {
      const auto value = Integer(*node);
      value ? void(into = *value) : Wrong(name, "a whole number", *node);
    }
  }
  void Share(const char* name, double& into) {
    if (const YamlNode* node = Take(name)) {
      const auto value = node->is_scalar() ? ParseNumber(node->text) : std::nullopt;
      value && *value >= 0 ? void(into = *value) : Wrong(name, "a percentage", *node);
    }
  }
  void Bool(const char* name, bool& into) {
    if (const YamlNode* node = Take(name)) {
      const bool valid = node->is_scalar() && (node->text == "true" || node->text == "false");
      valid ? void(into = node->text == "true") : Wrong(name, "true or false", *node);
    }
  }
  void Text(const char* name, std::string& into) {
    if (const YamlNode* node = Take(name)) {
      node->is_scalar() ? void(into = node->text) : Wrong(name, "text", *node);
    }
  }
  void Texts(const char* name, std::vector<std::string>& into) {
    const YamlNode* node = Take(name);
    if (node == nullptr) return;
    if (!node->is_sequence()) return Wrong(name, "a list", *node);
    for (const YamlNode& item : node->items) {
      if (!item.is_scalar()) return Wrong(name, "a list of texts", item);
      into.push_back(item.text);
    }
  }
  // Known to the Collector, and without meaning here.
  void Ignore(const char* name) { Take(name); }
  const YamlNode* Take(const char* name) {
    known_.emplace_back(name);
    const YamlNode* node = settings_.Find(name);
    return node == nullptr || node->is_null() ? nullptr : node;
  }
  void Need(bool there, const std::string& what) {
    if (!there) Fail(where_ + " needs " + what);
  }
  void Fail(const std::string& text) {
    if (ok_) in_.Reject(text);
    ok_ = false;
  }
  // False if something was wrong, an unknown key included.
  bool Done() {
    for (const auto& entry : settings_.entries) {
      if (std::ranges::find(known_, entry.key) == known_.end()) {
        Fail(where_ + " has no " + entry.key);
      }
    }
    return ok_;
  }

 private:
  void Wrong(const char* name, const std::string& what, const YamlNode& got) {
    Fail(where_ + "." + name + ": expected " + what + ", got " + got.Describe());
  }

  const YamlNode& settings_;
  std::string where_;
  const Reading& in_;
  std::vector<std::string> known_;
  bool ok_ = true;
};

bool ReadPolicy(const YamlNode& node, const Reading& in, int depth, TailPolicy& out);

bool ReadSub(PolicyReader& reader, const char* name, const Reading& in, int depth,
             TailPolicy& out) {
  const YamlNode* list = reader.Take(name);
  if (list == nullptr || !list->is_sequence() || list->items.empty()) {
    reader.Need(false, std::string(name) + ", a list of policies");
    return false;
  }
  for (const YamlNode& item : list->items) {
    if (!ReadPolicy(item, in, depth + 1, out.sub.emplace_back())) return false;
  }
  return true;
}

void ReadAllocation(PolicyReader& reader, TailPolicy& out) {
  out.percents.assign(out.sub.size(), 0);
  const YamlNode* list = reader.Take("rate_allocation");
  if (list == nullptr) return;
  for (const YamlNode& item : list->items) {
    const YamlNode* policy = item.Find("policy");
    const YamlNode* percent = item.Find("percent");
    const int64_t share = percent == nullptr ? -1 : Integer(*percent).value_or(-1);
    const auto sub = std::ranges::find_if(out.sub, [&](const TailPolicy& each) {
      return policy != nullptr && policy->text == each.name;
    });
    if (share < 0 || sub == out.sub.end()) {
      return reader.Fail("rate_allocation: expected policy, one of the sub-policies, and percent");
    }
    out.percents[static_cast<size_t>(sub - out.sub.begin())] = share;
  }
}

bool ReadSettings(PolicyReader& reader, const Reading& in, int depth, TailPolicy& out) {
  switch (out.type) {
    case TailPolicyType::kAlwaysSample:
      break;
    case TailPolicyType::kLatency:
      reader.Number("threshold_ms", out.min);
      reader.Number("upper_threshold_ms", out.max);
      break;
    case TailPolicyType::kNumericAttribute:
      reader.Text("key", out.key);
      reader.Number("min_value", out.min);
      reader.Number("max_value", out.max);
      reader.Bool("invert_match", out.invert_match);
      reader.Need(!out.key.empty(), "key");
      break;
    case TailPolicyType::kBooleanAttribute:
      reader.Text("key", out.key);
      reader.Bool("value", out.value);
      reader.Bool("invert_match", out.invert_match);
      reader.Need(!out.key.empty(), "key");
      break;
    case TailPolicyType::kStringAttribute:
      reader.Text("key", out.key);
      reader.Texts("values", out.values);
      reader.Bool("enabled_regex_matching", out.enabled_regex_matching);
      reader.Bool("invert_match", out.invert_match);
      reader.Ignore("cache_max_size");
      reader.Need(!out.key.empty() && !out.values.empty(), "key and values");
      break;
    case TailPolicyType::kProbabilistic:
      reader.Share("sampling_percentage", out.sampling_percentage);
      reader.Text("hash_salt", out.hash_salt);
      break;
    case TailPolicyType::kStatusCode:
      reader.Texts("status_codes", out.status_codes);
      reader.Need(!out.status_codes.empty() && std::ranges::all_of(out.status_codes,
                                                                   [](const std::string& code) {
                                                                     return code == "OK" ||
                                                                            code == "ERROR" ||
                                                                            code == "UNSET";
                                                                   }),
                  "status_codes, of OK, ERROR and UNSET");
      break;
    case TailPolicyType::kRateLimiting:
      reader.Number("spans_per_second", out.spans_per_second);
      reader.Need(out.spans_per_second > 0, "spans_per_second above 0");
      break;
    case TailPolicyType::kSpanCount:
      reader.Number("min_spans", out.min);
      reader.Number("max_spans", out.max);
      break;
    case TailPolicyType::kAnd:
      return ReadSub(reader, "and_sub_policy", in, depth, out);
    case TailPolicyType::kComposite:
      reader.Number("max_total_spans_per_second", out.spans_per_second);
      reader.Need(out.spans_per_second > 0, "max_total_spans_per_second above 0");
      reader.Ignore("policy_order");  // sub-policies are asked in the order they stand in
      if (!ReadSub(reader, "composite_sub_policy", in, depth, out)) return false;
      ReadAllocation(reader, out);
      break;
  }
  return true;
}

bool ReadPolicy(const YamlNode& node, const Reading& outer, int depth, TailPolicy& out) {
  Reading in = outer;
  in.origin.line = node.line;
  const YamlNode* name = node.Find("name");
  const YamlNode* type = node.Find("type");
  if (!node.is_map() || name == nullptr || !name->is_scalar() || type == nullptr ||
      !type->is_scalar()) {
    in.Expected("a policy with name and type", node);
    return false;
  }
  out.name = name->text;
  const auto known = std::ranges::find(kTypes, type->text, &TypeName::name);
  const bool nested =
      known != kTypes.end() && (known->type == TailPolicyType::kComposite
                                    ? depth > 0
                                    : known->type == TailPolicyType::kAnd && depth > 1);
  if (known == kTypes.end() || nested) {
    in.Reject("policy " + out.name + ": " +
              (nested
                   ? "no " + type->text + " within another"
                   : "type " + type->text + " is not known here; expected one of " + TypeNames()));
    return false;
  }
  out.type = known->type;
  const YamlNode empty = YamlNode::Map();
  const YamlNode* settings = node.Find(type->text);
  PolicyReader whole(node, "policy " + out.name, in);
  for (const char* key : {"name", "type"}) whole.Ignore(key);
  whole.Ignore(type->text.c_str());
  PolicyReader reader(settings == nullptr || settings->is_null() ? empty : *settings,
                      "policy " + out.name + ": " + type->text, in);
  return whole.Done() && ReadSettings(reader, in, depth, out) && reader.Done();
}

// Back to YAML: what Read() understands.
YamlNode One(std::string text, bool quoted = false) {
  return YamlNode::Scalar(std::move(text), quoted);
}

YamlNode List(const std::vector<std::string>& texts) {
  YamlNode list = YamlNode::Sequence();
  for (const std::string& text : texts) list.items.push_back(One(text, true));
  return list;
}

YamlNode WritePolicy(const TailPolicy& policy);

YamlNode WriteSub(const TailPolicy& policy) {
  YamlNode list = YamlNode::Sequence();
  for (const TailPolicy& sub : policy.sub) list.items.push_back(WritePolicy(sub));
  return list;
}

void WriteBounds(const char* min, const char* max, const TailPolicy& policy, YamlNode& settings) {
  settings.Add(min, One(std::to_string(policy.min)));
  settings.Add(max, One(std::to_string(policy.max)));
}

YamlNode WriteSettings(const TailPolicy& policy) {
  YamlNode settings = YamlNode::Map();
  const auto key = [&] {
    settings.Add("key", One(policy.key, true));
    settings.Add("invert_match", One(policy.invert_match ? "true" : "false"));
  };
  switch (policy.type) {
    case TailPolicyType::kAlwaysSample:
      break;
    case TailPolicyType::kLatency:
      WriteBounds("threshold_ms", "upper_threshold_ms", policy, settings);
      break;
    case TailPolicyType::kSpanCount:
      WriteBounds("min_spans", "max_spans", policy, settings);
      break;
    case TailPolicyType::kNumericAttribute:
      key();
      WriteBounds("min_value", "max_value", policy, settings);
      break;
    case TailPolicyType::kBooleanAttribute:
      key();
      settings.Add("value", One(policy.value ? "true" : "false"));
      break;
    case TailPolicyType::kStringAttribute:
      key();
      settings.Add("values", List(policy.values));
      settings.Add("enabled_regex_matching", One(policy.enabled_regex_matching ? "true" : "false"));
      break;
    case TailPolicyType::kProbabilistic:
      settings.Add("sampling_percentage", One(FormatNumber(policy.sampling_percentage)));
      if (!policy.hash_salt.empty()) settings.Add("hash_salt", One(policy.hash_salt, true));
      break;
    case TailPolicyType::kStatusCode:
      settings.Add("status_codes", List(policy.status_codes));
      break;
    case TailPolicyType::kRateLimiting:
      settings.Add("spans_per_second", One(std::to_string(policy.spans_per_second)));
      break;
    case TailPolicyType::kAnd:
      settings.Add("and_sub_policy", WriteSub(policy));
      break;
    case TailPolicyType::kComposite:
      settings.Add("max_total_spans_per_second", One(std::to_string(policy.spans_per_second)));
      settings.Add("composite_sub_policy", WriteSub(policy));
      YamlNode& shares = settings.Add("rate_allocation", YamlNode::Sequence());
      for (size_t i = 0; i < policy.sub.size() && i < policy.percents.size(); ++i) {
        YamlNode share = YamlNode::Map();
        share.Add("policy", One(policy.sub[i].name, true));
        share.Add("percent", One(std::to_string(policy.percents[i])));
        shares.items.push_back(std::move(share));
      }
      break;
  }
  return settings;
}

YamlNode WritePolicy(const TailPolicy& policy) {
  YamlNode node = YamlNode::Map();
  node.Add("name", One(policy.name, true));
  node.Add("type", One(std::string(NameOf(policy.type))));
  YamlNode settings = WriteSettings(policy);
  if (!settings.entries.empty()) node.Add(std::string(NameOf(policy.type)), std::move(settings));
  return node;
}

class TailPolicyListType final : public ValueType {
 public:
  std::string Describe() const override { return "a list of policies {name, type, ...}"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    std::vector<TailPolicy> policies;
    for (const YamlNode& item : node.items) {
      TailPolicy policy;
      if (!ReadPolicy(item, in, 0, policy)) return;
      const bool twice = std::ranges::any_of(
          policies, [&](const TailPolicy& other) { return other.name == policy.name; });
      if (twice) return in.Reject("policy " + policy.name + " is there twice");
      policies.push_back(std::move(policy));
    }
    in.draft.config.tail_sampling.policies = std::move(policies);
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const TailPolicy& policy : draft.config.tail_sampling.policies) {
      list.items.push_back(WritePolicy(policy));
    }
    if (list.items.empty()) list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    Json types = Json::array();
    Json properties = {{"name", {{"type", "string"}}}};
    for (const TypeName& each : kTypes) {
      types.push_back(each.name);
      properties[std::string(each.name)] = {{"type", Json::array({"object", "null"})}};
    }
    properties["type"] = {{"enum", types}};
    const Json policy = {{"type", "object"},
                         {"properties", properties},
                         {"required", Json::array({"name", "type"})},
                         {"additionalProperties", false}};
    return {{"type", "array"}, {"items", policy}};
  }
};

}  // namespace

TypePtr TailPolicyList() { return std::make_shared<TailPolicyListType>(); }

}  // namespace sonde::config
