// SPDX-License-Identifier: Apache-2.0
// A configuration key: one row says how the value is called in the file, on the command line and in
// the environment, what it may be, where it goes, and what it means. Reading, printing, JSON
// Schema, help and the reference page all come from the rows (key_table.cpp), so a new key is a new
// row.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/draft.h"
#include "config/origin.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {

using Json = nlohmann::ordered_json;

// Where a value goes and what is known about it while it is read.
struct Reading {
  Draft& draft;
  Findings& findings;
  Origins& origins;  // of the draft, or of the exporter that is being read
  Origin origin;
  std::string path;  // full, for messages
  std::string key;   // below the table's root, for origins

  void Accept() const { origins[key] = origin; }
  void Accept(const std::string& part) const { origins[key + "." + part] = origin; }
  void Reject(const std::string& text) const { findings.Add(origin, path, text); }
  void Expected(const std::string& what, const YamlNode& got) const {
    Reject("expected " + what + ", got " + got.Describe());
  }
};

class ValueType {
 public:
  virtual ~ValueType() = default;

  // Stores the value or rejects it. `node` is never null unless AcceptsNull().
  virtual void Read(const YamlNode& node, const Reading& in) const = 0;
  virtual bool AcceptsNull() const { return false; }
  // The present value, with its origin as a comment where there is one line to put it on.
  virtual YamlNode Write(Draft& draft, const Origins& origins, const std::string& key) const = 0;
  virtual Json Schema() const = 0;
  // For messages and the reference page: "a number from 1 to 10".
  virtual std::string Describe() const = 0;
  // Environment variables and flags in the shape that Read takes from a file.
  virtual Result<YamlNode> FromText(const std::vector<std::string>& values, Layer layer) const;
  virtual bool repeats() const { return false; }
};

struct Key {
  std::string path;              // "sonde.admin.listen"; empty: not in the file
  std::string flag;              // "--listen"; empty: none
  std::string value;             // placeholder of the flag in help
  std::vector<std::string> env;  // most specific first; the first that is set counts
  std::string doc;               // one sentence
  std::shared_ptr<const ValueType> type;
};

using KeyTable = std::vector<Key>;

// The origin as a comment of a printed value.
std::string OriginOf(const Origins& origins, const std::string& key);

}  // namespace sonde::config
