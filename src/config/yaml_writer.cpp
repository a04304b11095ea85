// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_writer.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

#include "config/yaml_node.h"

namespace sonde::config {
namespace {

std::string Quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '$') {
      out += "$$";  // not a reference
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02X", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// A value that fits behind its key or dash; false if it needs lines of its own.
bool Inline(const YamlNode& node, std::string& out) {
  if (node.is_scalar()) {
    out = node.quoted ? Quote(node.text) : node.text;
  } else if (node.is_sequence() && node.items.empty()) {
    out = "[]";
  } else if (node.is_map() && node.entries.empty()) {
    out = "{}";
  } else if (node.is_null()) {
    out.clear();
  } else {
    return false;
  }
  return true;
}

void WriteNode(const YamlNode& node, size_t indent, bool after_dash, std::string& out);

void WriteValue(const std::string& before, const YamlNode& value, size_t indent, std::string& out) {
  std::string text;
  const std::string comment = value.comment.empty() ? "" : "  # " + value.comment;
  if (Inline(value, text)) {
    out += before + (text.empty() ? "" : " " + text) + comment + "\n";
    return;
  }
  out += before + comment + "\n";
  WriteNode(value, indent, false, out);
}

void WriteNode(const YamlNode& node, size_t indent, bool after_dash, std::string& out) {
  std::string pad(after_dash ? 0 : indent, ' ');
  for (const YamlNode::Entry& entry : node.entries) {
    WriteValue(pad + entry.key + ":", entry.value, indent + 2, out);
    pad.assign(indent, ' ');
  }
  for (const YamlNode& item : node.items) {
    const std::string dash = std::string(indent, ' ') + "-";
    if (item.is_map() && !item.entries.empty()) {
      out += dash + " ";
      WriteNode(item, indent + 2, true, out);
    } else {
      WriteValue(dash, item, indent + 2, out);
    }
  }
}

}  // namespace

std::string WriteYaml(const YamlNode& root) {
  std::string out;
  WriteNode(root, 0, false, out);
  return out;
}

}  // namespace sonde::config
