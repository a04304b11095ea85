// SPDX-License-Identifier: Apache-2.0
// A YAML document as sonde reads and writes it: ordered, with line numbers, without anchors. One
// value; who made it (the file reader, an environment variable, a flag, the printer) does not show.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sonde::config {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  // A map entry. The key is always a scalar; its line is where a finding about it points.
  struct Entry;

  Kind kind = Kind::kNull;
  std::string text;     // kScalar
  bool quoted = false;  // kScalar: written in quotes, so it is a string whatever it looks like
  int line = 0;         // 1-based; 0 = not from a file
  std::string comment;  // written after the value
  std::vector<YamlNode> items;  // kSequence
  std::vector<Entry> entries;   // kMap, in document order, keys unique

  static YamlNode Scalar(std::string text, bool quoted = false);
  static YamlNode Sequence();
  static YamlNode Map();

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }

  const YamlNode* Find(const std::string& key) const;
  // Adds an entry to a map and returns its value; valid until the next Add.
  YamlNode& Add(std::string key, YamlNode value);
  // "an integer-like scalar", for messages: `"abc"`, `a list`, `a map`, `nothing`.
  std::string Describe() const;
};

struct YamlNode::Entry {
  std::string key;
  int line = 0;
  YamlNode value;
};

}  // namespace sonde::config
