// SPDX-License-Identifier: Apache-2.0
#include "schema_check.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/units.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

using nlohmann::json;

bool HasType(const std::string& type, const json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == "null" && value.is_null();
}

bool HasAnyType(const json& types, const json& value) {
  if (types.is_string()) return HasType(types, value);
  return std::any_of(types.begin(), types.end(),
                     [&](const json& type) { return HasType(type, value); });
}

class Checker {
 public:
  std::vector<std::string> findings;

  void Check(const json& schema, const json& value, const std::string& path) {
    for (const auto& [keyword, rule] : schema.items()) {
      if (!Holds(keyword, rule, schema, value, path)) {
        findings.push_back(path + ": " + keyword + " " + rule.dump());
      }
    }
  }

 private:
  bool Holds(const std::string& keyword, const json& rule, const json& schema, const json& value,
             const std::string& path) {
    if (keyword == "$schema" || keyword == "title" || keyword == "description") return true;
    if (keyword == "type") return HasAnyType(rule, value);
    if (keyword == "enum") return std::find(rule.begin(), rule.end(), value) != rule.end();
    if (keyword == "anyOf") return AnyOf(rule, value, path);
    if (keyword == "minimum") return !value.is_number() || value >= rule;
    if (keyword == "maximum") return !value.is_number() || value <= rule;
    if (keyword == "minLength")
      return !value.is_string() || value.get<std::string>().size() >= rule;
    if (keyword == "pattern") {
      return !value.is_string() ||
             re2::RE2::PartialMatch(value.get<std::string>(), rule.get<std::string>());
    }
    if (keyword == "minProperties") return !value.is_object() || value.size() >= rule;
    if (keyword == "maxProperties") return !value.is_object() || value.size() <= rule;
    if (keyword == "required") return Required(rule, value);
    if (keyword == "properties") return Properties(rule, value, path);
    if (keyword == "additionalProperties") return Others(rule, schema, value, path);
    if (keyword == "items") return Items(rule, value, path);
    return false;
  }

  static bool AnyOf(const json& rules, const json& value, const std::string& path) {
    return std::any_of(rules.begin(), rules.end(), [&](const json& rule) {
      Checker inner;
      inner.Check(rule, value, path);
      return inner.findings.empty();
    });
  }

  static bool Required(const json& names, const json& value) {
    return !value.is_object() || std::all_of(names.begin(), names.end(), [&](const json& name) {
      return value.contains(name.get<std::string>());
    });
  }

  // Findings of children are recorded by the children.
  bool Properties(const json& rules, const json& value, const std::string& path) {
    if (!value.is_object()) return true;
    for (const auto& [name, rule] : rules.items()) {
      if (value.contains(name)) Check(rule, value[name], path + "." + name);
    }
    return true;
  }

  // The rule is false, or a schema for each of the others.
  bool Others(const json& rule, const json& schema, const json& value, const std::string& path) {
    if (!value.is_object()) return true;
    for (const auto& [name, child] : value.items()) {
      if (schema.contains("properties") && schema["properties"].contains(name)) continue;
      if (rule.is_boolean()) return rule.get<bool>();
      Check(rule, child, path + "." + name);
    }
    return true;
  }

  bool Items(const json& rule, const json& value, const std::string& path) {
    if (!value.is_array()) return true;
    for (const json& item : value) Check(rule, item, path + "[]");
    return true;
  }
};

TEST(SchemaCheck, FindsWhatIsWrong) {
  const json schema = json::parse(
      R"({"type":"object","properties":{"a":{"type":"integer","minimum":2},"b":{"enum":["x"]}},
          "additionalProperties":false,"required":["a"]})");
  EXPECT_TRUE(CheckSchema(schema, json::parse(R"({"a":2,"b":"x"})")).empty());
  for (const char* wrong : {R"({"a":1})", R"({"a":"2"})", R"({"a":2,"b":"y"})", R"({"a":2,"c":1})",
                            R"({"b":"x"})", R"([])"}) {
    EXPECT_FALSE(CheckSchema(schema, json::parse(wrong)).empty()) << wrong;
  }
  EXPECT_FALSE(CheckSchema({{"unheardOf", 1}}, 1).empty());
}

}  // namespace

std::vector<std::string> CheckSchema(const json& schema, const json& value) {
  Checker checker;
  checker.Check(schema, value, "$");
  return checker.findings;
}

json ToJson(const YamlNode& node) {
  if (node.is_null()) return nullptr;
  if (node.is_sequence()) {
    json list = json::array();
    for (const YamlNode& item : node.items) list.push_back(ToJson(item));
    return list;
  }
  if (node.is_map()) {
    json map = json::object();
    for (const YamlNode::Entry& entry : node.entries) map[entry.key] = ToJson(entry.value);
    return map;
  }
  if (node.quoted) return node.text;
  if (node.text == "true" || node.text == "false") return node.text == "true";
  if (const auto whole = ParseUnsigned(node.text)) return *whole;
  if (const auto number = ParseNumber(node.text)) return *number;
  return node.text;
}

}  // namespace sonde::config
