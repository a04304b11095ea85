// SPDX-License-Identifier: Apache-2.0
#include "config/pairs.h"

#include <absl/status/status.h>

#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/origin.h"
#include "config/text.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {
namespace {

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto hex = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + 2, value, 16);
    if (error != std::errc{} || end != hex.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

YamlNode PairNode(std::string name, std::string value) {
  YamlNode item = YamlNode::Map();
  item.Add("name", YamlNode::Scalar(std::move(name), true));
  item.Add("value", YamlNode::Scalar(std::move(value), true));
  return item;
}

void Upsert(Pairs& pairs, const std::string& name, const std::string& value) {
  for (auto& [existing, old] : pairs) {
    if (existing != name) continue;
    old = value;
    return;
  }
  pairs.emplace_back(name, value);
}

class PairListType final : public ValueType {
 public:
  PairListType(Member<Pairs> member, PairRule rule) : member_(member), rule_(std::move(rule)) {}
  bool repeats() const override { return true; }
  std::string Describe() const override { return "a list of {name, value}"; }

  void Read(const YamlNode& node, const Reading& in) const override {
    if (!node.is_sequence()) return in.Expected(Describe(), node);
    for (const YamlNode& item : node.items) ReadItem(item, in);
  }

  YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const override {
    YamlNode list = YamlNode::Sequence();
    for (const auto& [name, value] : member_(draft)) {
      YamlNode item = PairNode(name, rule_.secret ? "*****" : value);
      item.entries.back().value.comment = OriginOf(origins, key + "." + name);
      list.items.push_back(std::move(item));
    }
    if (list.items.empty()) list.comment = OriginOf(origins, key);
    return list;
  }

  Json Schema() const override {
    const Json text = {{"type", "string"}};
    const Json item = {
        {"type", "object"},
        {"properties",
         {{"name", text},
          {"value", {{"type", Json::array({"string", "number", "boolean", "null"})}}},
          {"type", {{"enum", Json::array({"string"})}}}}},
        {"required", Json::array({"name", "value"})},
        {"additionalProperties", false}};
    return {{"type", "array"}, {"items", item}};
  }

  Result<YamlNode> FromText(const std::vector<std::string>& values, Layer layer) const override {
    YamlNode list = YamlNode::Sequence();
    for (const std::string& value : values) {
      if (layer == Layer::kEnvironment) {
        auto pairs = ParsePairs(value);
        if (!pairs.ok()) return pairs.status();
        for (auto& [name, text] : *pairs) list.items.push_back(PairNode(name, text));
        continue;
      }
      const size_t equals = value.find('=');
      if (equals == 0 || equals == std::string::npos) {
        return absl::InvalidArgumentError("expected K=V");  // not shown: it may be a secret
      }
      list.items.push_back(PairNode(value.substr(0, equals), value.substr(equals + 1)));
    }
    return list;
  }

 private:
  void ReadItem(const YamlNode& item, const Reading& in) const {
    const YamlNode* name = item.Find("name");
    const YamlNode* value = item.Find("value");
    const YamlNode* type = item.Find("type");
    const size_t known =
        (name != nullptr ? 1U : 0U) + (value != nullptr ? 1U : 0U) + (type != nullptr ? 1U : 0U);
    if (!item.is_map() || name == nullptr || value == nullptr || known != item.entries.size()) {
      return in.Expected("each item to be {name, value}", item);
    }
    if (type != nullptr && (!type->is_scalar() || type->text != "string")) {
      return in.Expected("type string (the only one supported)", *type);
    }
    if (!name->is_scalar() || (rule_.name.valid != nullptr && !rule_.name.valid(name->text))) {
      return in.Expected("the name to be " + rule_.name.what, *name);
    }
    if (value->is_sequence() || value->is_map()) {
      return in.Expected("the value of " + name->text + " to be text", *value);
    }
    Upsert(member_(in.draft), name->text, value->text);
    in.Accept(name->text);
  }

  Member<Pairs> member_;
  PairRule rule_;
};

class PairTextType final : public ValueType {
 public:
  PairTextType(Member<Pairs> member, PairRule rule, std::string list_key)
      : member_(member), rule_(std::move(rule)), list_key_(std::move(list_key)) {}
  std::string Describe() const override { return "text \"k=v,k2=v2\", percent-encoded"; }
  Json Schema() const override { return {{"type", "string"}}; }

  void Read(const YamlNode& node, const Reading& in) const override {
    auto pairs = node.is_scalar() ? ParsePairs(node.text)
                                  : Result<Pairs>(absl::InvalidArgumentError("not text"));
    if (!pairs.ok()) return in.Reject("expected " + Describe());  // not shown: maybe a secret
    for (const auto& [name, value] : *pairs) {
      if (rule_.name.valid != nullptr && !rule_.name.valid(name)) {
        return in.Reject("expected each name to be " + rule_.name.what);
      }
      Origin& origin = in.origins[list_key_ + "." + name];
      if (origin.layer == in.origin.layer) continue;  // the list form of this file gave it
      Upsert(member_(in.draft), name, value);
      origin = in.origin;
    }
  }
  YamlNode Write(Draft&, const Origins&, const std::string&) const override { return {}; }

 private:
  Member<Pairs> member_;
  PairRule rule_;
  std::string list_key_;
};

}  // namespace

Result<Pairs> ParsePairs(std::string_view text) {
  Pairs pairs;
  for (const std::string& pair : SplitTrimmed(text, ',')) {
    if (pair.empty()) continue;  // a trailing comma
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError("expected k=v,k2=v2");
    }
    auto name = PercentDecode(Trim(std::string_view(pair).substr(0, equals)));
    auto value = PercentDecode(Trim(std::string_view(pair).substr(equals + 1)));
    if (!name || !value || name->empty()) {
      return absl::InvalidArgumentError("expected k=v,k2=v2 with valid percent-encoding");
    }
    pairs.emplace_back(*std::move(name), *std::move(value));
  }
  return pairs;
}

TypePtr PairList(Member<Pairs> member, PairRule rule) {
  return std::make_shared<PairListType>(member, std::move(rule));
}
TypePtr PairText(Member<Pairs> member, PairRule rule, std::string list_key) {
  return std::make_shared<PairTextType>(member, std::move(rule), std::move(list_key));
}

}  // namespace sonde::config
