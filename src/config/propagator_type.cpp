// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/telemetry_types.h"
#include "config/text.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {
namespace {

constexpr std::string_view kListKey = "propagator.composite";

// Those of OpenTelemetry, and datadog. "none" is understood beside them.
constexpr std::array<std::string_view, 8> kNames{"tracecontext", "baggage", "b3",      "b3multi",
                                                 "jaeger",       "xray",    "datadog", "ottrace"};

std::string NameList() {
  std::string text;
  for (const std::string_view name : kNames) {
    if (!text.empty()) text += name == kNames.back() ? " or " : ", ";
    text += name;
  }
  return text;
}

YamlNode SplitNames(std::string_view text) {
  YamlNode list = YamlNode::Sequence();
  for (std::string& name : SplitTrimmed(text, ',')) {
    if (!name.empty()) list.items.push_back(YamlNode::Scalar(std::move(name)));
  }
  return list;
}

// The name in `- tracecontext:` or, shorter, `- tracecontext`; "" for anything else.
std::string NameOf(const YamlNode& item) {
  if (item.is_scalar()) return item.text;
  const bool single = item.is_map() && item.entries.size() == 1;
  if (!single) return {};
  const YamlNode& value = item.entries[0].value;
  const bool empty = value.is_null() || (value.is_map() && value.entries.empty());
  return empty ? item.entries[0].key : std::string{};
}

// Adds the names of `list`; what is unknown is rejected name by name, so that one bad name in
// OTEL_PROPAGATORS does not switch off the others.
void AddNames(const YamlNode& list, const Reading& in, std::vector<std::string>& names) {
  for (const YamlNode& item : list.items) {
    const std::string name = NameOf(item);
    if (name == "none") continue;
    if (std::ranges::find(kNames, name) == kNames.end()) {
      in.Expected(NameList(), item);
    } else if (std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  }
}

class PropagatorListType final : public ValueType {
 public:
  std::string Describe() const override { return "a list of " + NameList(); }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    std::vector<std::string> names;
    AddNames(node, in, names);
    auto& present = in.draft.config.linking.propagators;
    // composite_list of the same file may have come first; its names follow ours.
    if (in.origins[in.key].layer != in.origin.layer) present.clear();
    for (const std::string& name : present) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    present = std::move(names);
    in.Accept();
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const std::string& name : draft.config.linking.propagators) {
      YamlNode item = YamlNode::Map();
      item.Add(name, {}).comment = OriginOf(origins, key);
      list.items.push_back(item);
    }
    if (list.items.empty()) list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    const Json empty = {{"type", Json::array({"object", "null"})}, {"maxProperties", 0}};
    Json names = Json::array();
    Json properties = Json::object();
    for (const std::string_view known : kNames) {
      names.push_back(known);
      properties[std::string(known)] = empty;
    }
    const Json map = {{"type", "object"},
                      {"properties", properties},
                      {"additionalProperties", false},
                      {"minProperties", 1},
                      {"maxProperties", 1}};
    const Json name = {{"enum", names}};
    return {{"type", "array"}, {"items", {{"anyOf", Json::array({map, name})}}}};
  }

  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer) const override {
    return SplitNames(values.at(0));
  }
};

class PropagatorTextType final : public ValueType {
 public:
  std::string Describe() const override { return "names separated by commas"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_scalar()) return in.Expected(Describe(), node);
    auto& names = in.draft.config.linking.propagators;
    // Alone it replaces the default; beside the list form of the same file it adds to it.
    Origin& origin = in.origins[std::string(kListKey)];
    if (origin.layer != in.origin.layer) names.clear();
    AddNames(SplitNames(node.text), in, names);
    origin = in.origin;
  }
  YamlNode Write(Draft&, const Origins&, const std::string&) const override { return {}; }
  Json Schema() const override { return {{"type", "string"}}; }
};

}  // namespace

TypePtr PropagatorList() { return std::make_shared<PropagatorListType>(); }
TypePtr PropagatorText() { return std::make_shared<PropagatorTextType>(); }

}  // namespace sonde::config
