// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_node.h"

#include <cstddef>
#include <string>
#include <utility>

namespace sonde::config {

YamlNode YamlNode::Scalar(std::string text, bool quoted) {
  YamlNode node;
  node.kind = Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

YamlNode YamlNode::Sequence() {
  YamlNode node;
  node.kind = Kind::kSequence;
  return node;
}

YamlNode YamlNode::Map() {
  YamlNode node;
  node.kind = Kind::kMap;
  return node;
}

const YamlNode* YamlNode::Find(const std::string& key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

YamlNode& YamlNode::Add(std::string key, YamlNode value) {
  entries.push_back({std::move(key), 0, std::move(value)});
  return entries.back().value;
}

std::string YamlNode::Describe() const {
  constexpr size_t kMaxShown = 60;  // a message stays a line, whatever the file holds
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      return "a map";
    case Kind::kScalar:
      break;
  }
  std::string shown;
  for (const char c : text.substr(0, kMaxShown)) {
    const bool printable = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    shown += printable ? c : '?';
  }
  if (text.size() > kMaxShown) shown += "...";
  return "\"" + shown + "\"";
}

}  // namespace sonde::config
