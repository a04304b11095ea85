// SPDX-License-Identifier: Apache-2.0
#include "config/section.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/draft.h"
#include "config/environment.h"
#include "config/key.h"
#include "config/not_here.h"
#include "config/origin.h"
#include "config/suggest.h"
#include "config/yaml_node.h"

namespace sonde::config {
namespace {

// Reads one map below the table's root, section by section.
class SectionReader {
 public:
  SectionReader(const KeyTable& table, const std::string& file, const std::string& above,
                const Target& target)
      : table_(table), file_(file), above_(above), target_(target) {}

  void Read(const YamlNode& map, const std::string& section) const {
    for (const YamlNode::Entry& entry : map.entries) ReadEntry(entry, section + entry.key);
  }

 private:
  void ReadEntry(const YamlNode::Entry& entry, const std::string& path) const {
    const Origin origin{Layer::kFile, file_, entry.line};
    for (const Key& key : table_) {
      if (key.path.empty() || key.path != path) continue;
      if (entry.value.is_map() && IsSection(path)) break;  // may be a list or a section
      // A key without a value has its default, as in OpenTelemetry's declarative configuration.
      if (entry.value.is_null() && !key.type->AcceptsNull()) return;
      const Reading in{target_.draft, target_.findings, target_.origins,
                       origin,        above_ + path,    path};
      key.type->Read(entry.value, in);
      return;
    }
    if (!IsSection(path)) {
      target_.findings.Add(origin, above_ + path, Unknown(path));
    } else if (entry.value.is_map()) {
      Read(entry.value, path + ".");
    } else if (!entry.value.is_null()) {
      target_.findings.Add(origin, above_ + path, "expected a map, got " + entry.value.Describe());
    }
  }

  bool IsSection(const std::string& path) const {
    for (const Key& key : table_) {
      if (key.path.starts_with(path + ".")) return true;
    }
    return false;
  }

  std::string Unknown(const std::string& path) const {
    const std::string_view reason = WhyKeyIsNotHere(above_ + path);
    if (!reason.empty()) return std::string(reason);
    // Candidates: the next name of every key that shares the section.
    const size_t start = path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1;
    const std::string section = path.substr(0, start);
    std::vector<std::string> names;
    for (const Key& key : table_) {
      if (key.path.empty() || !key.path.starts_with(section)) continue;
      const std::string rest = key.path.substr(start);
      names.push_back(rest.substr(0, rest.find('.')));
    }
    const std::string nearest = Nearest(path.substr(start), names);
    return nearest.empty() ? "unknown key; expected one of " + Join(names)
                           : "unknown key; did you mean " + nearest + "?";
  }

  const KeyTable& table_;
  const std::string& file_;
  const std::string& above_;
  const Target& target_;
};

// Adds "a.b.c" under nested maps, in the order of the table.
void Place(YamlNode& root, std::string_view path, YamlNode value) {
  const size_t dot = path.find('.');
  const std::string name(path.substr(0, dot));
  for (YamlNode::Entry& entry : root.entries) {
    if (entry.key != name) continue;
    if (dot != std::string_view::npos) {
      return Place(entry.value, path.substr(dot + 1), std::move(value));
    }
    entry.value = std::move(value);  // the list that was given in the place of a section
    return;
  }
  if (dot == std::string_view::npos) {
    root.Add(name, std::move(value));
    return;
  }
  Place(root.Add(name, YamlNode::Map()), path.substr(dot + 1), std::move(value));
}

void PlaceSchema(Json& object, std::string_view path, Json schema) {
  const size_t dot = path.find('.');
  Json& slot = object["properties"][std::string(path.substr(0, dot))];
  if (dot == std::string_view::npos) {
    slot = slot.is_null() ? std::move(schema) : Json{{"anyOf", Json::array({slot, schema})}};
    return;
  }
  if (slot.is_null()) {
    slot = {{"type", Json::array({"object", "null"})},
            {"properties", Json::object()},
            {"additionalProperties", false}};
  }
  PlaceSchema(slot, path.substr(dot + 1), std::move(schema));
}

}  // namespace

void ReadSection(const KeyTable& table, const YamlNode& map, const std::string& file,
                 const std::string& above, const Target& target) {
  SectionReader(table, file, above, target).Read(map, "");
}

void ApplyText(const Key& key, const std::vector<std::string>& values, const Origin& origin,
               const Target& target) {
  const std::string name = key.path.empty() ? key.flag : key.path;
  const Reading in{target.draft, target.findings, target.origins, origin, name, name};
  auto node = key.type->FromText(values, origin.layer);
  if (!node.ok()) return in.Reject(std::string(node.status().message()));
  key.type->Read(*node, in);
}

void ApplyEnvironment(const KeyTable& table, const Environment& environment, const Target& target) {
  for (const Key& key : table) {
    for (const std::string& name : key.env) {
      const auto found = environment.find(name);
      // OpenTelemetry: an empty variable counts as unset.
      if (found == environment.end() || found->second.empty()) continue;
      ApplyText(key, {found->second}, Origin{Layer::kEnvironment, name, 0}, target);
      break;
    }
  }
}

void ApplyFlags(const KeyTable& table, const FlagValues& flags, const Target& target) {
  for (const Key& key : table) {
    const auto found = key.flag.empty() ? flags.end() : flags.find(key.flag);
    if (found == flags.end()) continue;
    ApplyText(key, found->second, Origin{Layer::kFlag, key.flag, 0}, target);
  }
}

YamlNode WriteSection(const KeyTable& table, Draft& draft, const Origins& origins) {
  YamlNode root = YamlNode::Map();
  for (const Key& key : table) {
    if (key.path.empty()) continue;
    YamlNode value = key.type->Write(draft, origins, key.path);
    if (!value.is_null()) Place(root, key.path, std::move(value));
  }
  return root;
}

Json SchemaOf(const KeyTable& table) {
  Json root = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const Key& key : table) {
    if (key.path.empty()) continue;
    Json schema = key.type->Schema();
    schema["description"] = key.doc;
    // Without a value a key has its default.
    const Json nothing = {{"type", "null"}};
    if (schema.contains("type") && schema["type"].is_string()) {
      schema["type"] = Json::array({schema["type"], "null"});
    } else if (schema.contains("anyOf")) {
      schema["anyOf"].push_back(nothing);
    } else if (schema.contains("enum")) {
      schema = {{"anyOf", Json::array({{{"enum", schema["enum"]}},
                                       {{"type", "string"}, {"pattern", "^\\$\\{"}},
                                       nothing})},
                {"description", key.doc}};
    }
    PlaceSchema(root, key.path, std::move(schema));
  }
  return root;
}

}  // namespace sonde::config
