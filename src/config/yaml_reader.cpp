// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_reader.h"

#include <absl/status/status.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <istream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "config/environment.h"
#include "config/substitute.h"
#include "config/yaml_node.h"
#include "sonde/base/result.h"

namespace sonde::config {
namespace {

constexpr size_t kMaxBytes = 1U << 20;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 10'000;

// Leaves yaml-cpp's parser, which itself reports by exception; caught in ReadYaml.
struct Refusal : std::runtime_error {
  Refusal(int where, const std::string& what) : std::runtime_error(what), line(where) {}
  int line;
};

[[noreturn]] void Refuse(int line, const std::string& what) { throw Refusal(line, what); }

size_t CountNodes(const YamlNode& node) {
  size_t count = 1;
  for (const YamlNode& item : node.items) count += CountNodes(item);
  for (const YamlNode::Entry& entry : node.entries) count += CountNodes(entry.value);
  return count;
}

// Builds the tree from yaml-cpp's events. A node is complete when it is closed, so an alias to a
// node that is still open is not found: no cycles.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Environment& environment) : environment_(environment) {}

  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.line = Line(mark);
    Finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(Line(mark), "alias to a node that contains it");
    Charge(found->second.nodes, mark);
    if (open_.size() + found->second.depth > kMaxDepth) {
      Refuse(Line(mark), "deeper than 64 levels");
    }
    Place(found->second.node, found->second.depth);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Charge(1, mark);
    // yaml-cpp: "!" marks a quoted scalar, "?" a plain one.
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    YamlNode node = YamlNode::Scalar(value, quoted);
    node.line = Line(mark);
    const bool is_key = !open_.empty() && open_.back().node.is_map() && !open_.back().has_key;
    if (!is_key) SubstituteIn(node);
    if (!node.quoted && (node.text == "~" || node.text == "null" || node.text.empty())) {
      if (!is_key) node.kind = YamlNode::Kind::kNull;
    }
    Finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Sequence(), mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Map(), mark, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    size_t depth = 1;  // levels below and including this one
    bool has_key = false;
    std::string key;
    int key_line = 0;
  };
  struct Anchored {
    YamlNode node;
    size_t nodes = 0;
    size_t depth = 0;
  };

  static int Line(const YAML::Mark& mark) { return mark.line + 1; }

  void Charge(size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > kMaxNodes) Refuse(Line(mark), "more than 10000 values");
  }

  void SubstituteIn(YamlNode& node) {
    auto value = Substitute(node.text, environment_);
    if (!value.ok()) Refuse(node.line, std::string(value.status().message()));
    node.text = *std::move(value);
  }

  void Open(YamlNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Charge(1, mark);
    if (open_.size() >= kMaxDepth) Refuse(Line(mark), "deeper than 64 levels");
    if (!open_.empty() && open_.back().node.is_map() && !open_.back().has_key) {
      Refuse(Line(mark), "a key must be a plain name");
    }
    node.line = Line(mark);
    Level& level = open_.emplace_back();
    level.node = std::move(node);
    level.anchor = anchor;
  }

  void Close() {
    Level level = std::move(open_.back());
    open_.pop_back();
    Finish(std::move(level.node), level.anchor, level.depth);
  }

  void Finish(YamlNode node, YAML::anchor_t anchor, size_t depth = 0) {
    if (anchor != 0) anchors_[anchor] = {node, CountNodes(node), depth};
    Place(std::move(node), depth);
  }

  // Puts a complete node where the parser stands: root, list item, map key or map value.
  void Place(YamlNode node, size_t depth) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& parent = open_.back();
    parent.depth = std::max(parent.depth, depth + 1);
    if (parent.node.is_sequence()) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      TakeKey(parent, node);
    } else {
      parent.node.entries.push_back({std::move(parent.key), parent.key_line, std::move(node)});
      parent.has_key = false;
    }
  }

  static void TakeKey(Level& parent, const YamlNode& node) {
    if (!node.is_scalar()) Refuse(node.line, "a key must be a plain name");
    if (parent.node.Find(node.text) != nullptr) {
      Refuse(node.line, "key " + node.Describe() + " is given twice");
    }
    parent.key = node.text;
    parent.key_line = node.line;
    parent.has_key = true;
  }

  const Environment& environment_;
  YamlNode root_;
  std::vector<Level> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
};

Status Invalid(const std::string& file, const std::string& what) {
  return absl::InvalidArgumentError(file + ":" + what);
}

}  // namespace

Result<YamlNode> ReadYaml(const std::string& text, const std::string& file,
                          const Environment& environment) {
  if (text.size() > kMaxBytes) return Invalid(file, " larger than 1 MiB");
  TreeBuilder builder(environment);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    YamlNode root = builder.Take();
    TreeBuilder rest(environment);
    if (parser.HandleNextDocument(rest)) return Invalid(file, " holds more than one document");
    return root;
  } catch (const Refusal& refusal) {
    return Invalid(file, std::to_string(refusal.line) + ": " + refusal.what());
  } catch (const YAML::Exception& error) {
    return Invalid(file, std::to_string(error.mark.line + 1) + ": not valid YAML: " + error.msg);
  } catch (const std::exception& error) {
    return Invalid(file, std::string(" not valid YAML: ") + error.what());
  }
}

Result<YamlNode> ReadYamlFile(const std::string& file, const Environment& environment) {
  std::ifstream stream;
  if (file != "-") {
    stream.open(file, std::ios::binary);
    if (!stream) {
      return absl::InvalidArgumentError(file + ": cannot be read: " + std::strerror(errno));
    }
  }
  std::istream& in = file == "-" ? std::cin : stream;
  std::string text(kMaxBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return absl::InvalidArgumentError(file + ": cannot be read");
  return ReadYaml(text, file == "-" ? "standard input" : file, environment);
}

}  // namespace sonde::config
