// SPDX-License-Identifier: Apache-2.0
#include <absl/status/status.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/telemetry_types.h"
#include "config/units.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

constexpr std::string_view kSamplerKey = "tracer_provider.sampler";

YamlNode One(std::string name, YamlNode value) {
  YamlNode map = YamlNode::Map();
  map.Add(std::move(name), std::move(value));
  return map;
}

class SamplerType final : public ValueType {
 public:
  std::string Describe() const override {
    return "one of always_on, always_off, trace_id_ratio_based, parent_based";
  }

  void Read(const YamlNode& node, const Reading& in) const override {
    SamplerOptions sampler;
    if (!ReadSampler(node, in, true, sampler)) return;
    in.draft.config.sampler = sampler;
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    const SamplerOptions& sampler = draft.config.sampler;
    YamlNode body = YamlNode::Map();
    body.comment = OriginOf(origins, key);
    if (sampler.root == "trace_id_ratio_based") {
      body.comment.clear();
      YamlNode ratio = YamlNode::Scalar(FormatNumber(sampler.ratio));
      ratio.comment = OriginOf(origins, key);
      body.Add("ratio", std::move(ratio));
    }
    YamlNode root = One(sampler.root, std::move(body));
    if (!sampler.parent_based) return root;
    return One("parent_based", One("root", std::move(root)));
  }

  Json Schema() const override {
    const Json empty = {{"type", Json::array({"object", "null"})}, {"maxProperties", 0}};
    const Json ratio = {
        {"type", Json::array({"object", "null"})},
        {"properties", {{"ratio", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}}}},
        {"additionalProperties", false}};
    Json root = {{"type", "object"},
                 {"properties",
                  {{"always_on", empty}, {"always_off", empty}, {"trace_id_ratio_based", ratio}}},
                 {"additionalProperties", false},
                 {"minProperties", 1},
                 {"maxProperties", 1}};
    Json sampler = root;
    sampler["properties"]["parent_based"] = {{"type", Json::array({"object", "null"})},
                                             {"properties", {{"root", root}}},
                                             {"additionalProperties", false}};
    return sampler;
  }

  // OTEL_TRACES_SAMPLER names.
  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer) const override {
    std::string_view name = values.at(0);
    const bool parent_based = name.starts_with("parentbased_");
    if (parent_based) name.remove_prefix(std::string_view("parentbased_").size());
    YamlNode root;
    if (name == "always_on" || name == "always_off") {
      root = One(std::string(name), {});
    } else if (name == "traceidratio") {
      root = One("trace_id_ratio_based", {});
    } else {
      return absl::InvalidArgumentError(
          "expected always_on, always_off or traceidratio, with or without parentbased_ before it");
    }
    return parent_based ? One("parent_based", One("root", std::move(root))) : root;
  }

 private:
  bool ReadSampler(const YamlNode& node, const Reading& in, bool outer, SamplerOptions& out) const {
    if (!node.is_map() || node.entries.size() != 1) {
      in.Expected(Describe(), node);
      return false;
    }
    const auto& [name, line, value] = node.entries[0];
    out.parent_based = !outer;
    if (name == "trace_id_ratio_based") {
      out.root = name;
      return ReadRatio(value, in, out);
    }
    if (name == "always_on" || name == "always_off") {
      out.root = name;
      if (value.is_null() || (value.is_map() && value.entries.empty())) return true;
      in.Expected("nothing below " + name, value);
      return false;
    }
    if (name == "parent_based" && outer) return ReadParentBased(value, in, out);
    in.Expected(Describe(), YamlNode::Scalar(name));
    return false;
  }

  bool ReadParentBased(const YamlNode& value, const Reading& in, SamplerOptions& out) const {
    out.parent_based = true;
    if (value.is_null()) return true;
    if (!value.is_map()) {
      in.Expected("parent_based to be a map with root", value);
      return false;
    }
    for (const auto& [name, line, child] : value.entries) {
      // The delegates of a decided parent are fixed: sampled stays, not sampled goes.
      if (name == "root") {
        if (!ReadSampler(child, in, false, out)) return false;
      } else if (!IsFixedDelegate(name, child)) {
        in.Reject("parent_based." + name + " cannot be changed; only root can");
        return false;
      }
    }
    return true;
  }

  static bool IsFixedDelegate(const std::string& name, const YamlNode& sampler) {
    const bool sampled = name == "remote_parent_sampled" || name == "local_parent_sampled";
    const bool not_sampled =
        name == "remote_parent_not_sampled" || name == "local_parent_not_sampled";
    if (!sampled && !not_sampled) return false;
    return sampler.is_null() || sampler.Find(sampled ? "always_on" : "always_off") != nullptr;
  }

  static bool ReadRatio(const YamlNode& value, const Reading& in, SamplerOptions& out) {
    if (value.is_null()) return true;
    const YamlNode* ratio = value.Find("ratio");
    if (!value.is_map() || ratio == nullptr || value.entries.size() != 1) {
      in.Expected("trace_id_ratio_based to hold ratio", value);
      return false;
    }
    if (ratio->is_null()) return true;
    const auto number = ratio->is_scalar() ? ParseNumber(ratio->text) : std::nullopt;
    if (!number || *number < 0 || *number > 1) {
      in.Expected("ratio to be a number from 0 to 1", *ratio);
      return false;
    }
    out.ratio = *number;
    return true;
  }
};

class SamplerArgumentType final : public ScalarType {
 public:
  std::string Describe() const override { return "a ratio from 0 to 1"; }
  Json Schema() const override { return {{"type", "number"}}; }

 protected:
  bool Set(const YamlNode& scalar, Draft& draft) const override {
    const auto ratio = ParseNumber(scalar.text);
    if (!ratio || *ratio < 0 || *ratio > 1) return false;
    // Without OTEL_TRACES_SAMPLER the argument means nothing, and a ratio of the file stays.
    const auto chosen = draft.origins.find(std::string(kSamplerKey));
    if (chosen != draft.origins.end() && chosen->second.layer == Layer::kEnvironment) {
      draft.config.sampler.ratio = *ratio;
    }
    return true;
  }
  YamlNode Get(Draft&) const override { return {}; }
};

}  // namespace

TypePtr SamplerValue() { return std::make_shared<SamplerType>(); }
TypePtr SamplerArgument() { return std::make_shared<SamplerArgumentType>(); }

}  // namespace sonde::config
