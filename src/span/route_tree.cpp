// SPDX-License-Identifier: Apache-2.0
#include "span/route_tree.h"

#include <absl/container/flat_hash_map.h>  // erase_if

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "span/path_segments.h"
#include "span/segment_key.h"
#include "span/text_map.h"

namespace sonde::span {
namespace {

// Deeper paths end in "/*": nobody names a route with more segments, but path-like values (files,
// proxied URLs) have them.
constexpr size_t kMaxDepth = 12;

// Siblings at which a node is judged, and at which it collapses whatever they look like. 32 keeps
// real APIs apart from values: of 75 endpoints called at random, 32 different ones are seen after
// 42 calls, 60 % of them once; of thousands of user names nearly all 32 were seen once.
constexpr size_t kSuspiciousSiblings = 32;
constexpr size_t kMaxSiblings = 128;
constexpr size_t kSeenOncePct = 70;
// When the service's room is used up, fewer siblings are enough to win some back.
constexpr size_t kSuspiciousWhenFull = 8;

// Names that survive a collapse ("me", "search"): clearly more often called than their siblings,
// and only so many.
constexpr size_t kMaxKept = 8;
constexpr uint32_t kKeptHits = 8;
constexpr uint32_t kKeptTimesAverage = 4;

}  // namespace

struct RouteTree::Node {
  // Literals and placeholders by their text; one name space, because "{" cannot start a literal.
  TextMap<std::unique_ptr<Node>> children;
  std::string text;        // the route up to here
  uint32_t hits = 0;       // times passed, saturating
  uint32_t literals = 0;   // children that are no placeholders
  bool is_route = false;   // some path ended here
  bool collapsed = false;  // learns no more literals
};

RouteTree::RouteTree(size_t max_routes)
    : max_routes_(max_routes), root_(std::make_unique<Node>()) {}

RouteTree::~RouteTree() = default;

RouteTree::Answer RouteTree::Find(std::string_view path, bool learn) {
  Node* node = root_.get();
  Outcome outcome = Outcome::kUnknown;
  size_t depth = 0;
  for (std::string_view rest = path; const auto segment = TakeSegment(rest); ++depth) {
    if (depth == kMaxDepth) {
      node = AddChild(*node, "*", learn, outcome);
      rest = {};
    } else {
      node = Step(*node, *segment, depth == 0 && rest.empty(), learn, outcome);
    }
    if (node == nullptr) return {.outcome = outcome, .route = {}};
    if (depth == kMaxDepth) break;
  }
  if (!node->is_route) {
    if (!learn) return {};
    if (routes_ >= max_routes_) return {.outcome = Outcome::kOverflow, .route = {}};
    node->is_route = true;
    ++routes_;
  }
  return {.outcome = Outcome::kRoute, .route = node->text};
}

RouteTree::Node* RouteTree::Step(Node& node, std::string_view segment, bool root_file, bool learn,
                                 Outcome& outcome) {
  // Most segments are known literals; placeholders of hostile paths ("/{id}") must not be found by
  // their own text.
  if (!segment.starts_with('{')) {
    const auto known = node.children.find(segment);
    if (known != node.children.end() && segment != "*") {
      if (known->second->hits != UINT32_MAX) ++known->second->hits;
      return known->second.get();
    }
  }
  const SegmentKey key = KeyOf(segment, root_file, scratch_);
  return key.is_value ? AddChild(node, key.text, learn, outcome)
                      : StepLiteral(node, key.text, learn, outcome);
}

RouteTree::Node* RouteTree::StepLiteral(Node& node, std::string_view key, bool learn,
                                        Outcome& outcome) {
  const bool known = node.children.contains(key);
  if (!known && learn && !node.collapsed) {
    const bool full = routes_ >= max_routes_ || nodes_ >= (4 * max_routes_) + 16;
    if (node.literals >= kMaxSiblings ||
        LooksLikeValues(node, full ? kSuspiciousWhenFull : kSuspiciousSiblings)) {
      Collapse(node);
    }
  }
  if (!known && node.collapsed) return AddChild(node, "{id}", learn, outcome);
  Node* child = AddChild(node, key, learn, outcome);
  if (child != nullptr && !known) ++node.literals;
  return child;
}

RouteTree::Node* RouteTree::AddChild(Node& parent, std::string_view key, bool learn,
                                     Outcome& outcome) {
  const auto known = parent.children.find(key);
  if (known != parent.children.end()) {
    if (known->second->hits != UINT32_MAX) ++known->second->hits;
    return known->second.get();
  }
  if (!learn) return nullptr;
  if (routes_ >= max_routes_ || nodes_ >= (4 * max_routes_) + 16) {
    outcome = Outcome::kOverflow;
    return nullptr;
  }
  auto child = std::make_unique<Node>();
  child->hits = 1;
  child->text.reserve(parent.text.size() + 1 + key.size());
  child->text.append(parent.text).append("/").append(key);
  ++nodes_;
  return parent.children.emplace(key, std::move(child)).first->second.get();
}

bool RouteTree::LooksLikeValues(const Node& node, size_t enough) {
  if (node.literals < enough) return false;
  size_t seen_once = 0;
  for (const auto& [key, child] : node.children) {
    if (!key.starts_with('{') && child->hits == 1) ++seen_once;
  }
  return seen_once * 100 >= node.literals * kSeenOncePct;
}

// Values stood here: their sub-trees are forgotten and learnt again under the placeholder.
void RouteTree::Collapse(Node& node) {
  uint64_t total = 0;
  for (const auto& [key, child] : node.children) total += key.starts_with('{') ? 0 : child->hits;
  const uint64_t average = total / std::max<uint64_t>(1, node.literals);
  std::vector<uint32_t> candidates;
  for (const auto& [key, child] : node.children) {
    const bool often = child->hits >= kKeptHits && child->hits >= kKeptTimesAverage * average;
    if (!key.starts_with('{') && often) candidates.push_back(child->hits);
  }
  std::ranges::sort(candidates, std::greater<>());
  const uint32_t least = candidates.empty()             ? UINT32_MAX
                         : candidates.size() > kMaxKept ? candidates[kMaxKept] + 1
                                                        : candidates.back();
  absl::erase_if(node.children, [&](const auto& entry) {
    // A trailing slash is no value.
    if (entry.first.starts_with('{') || entry.first.empty() || entry.second->hits >= least) {
      return false;
    }
    Forget(*entry.second);
    --node.literals;
    return true;
  });
  node.collapsed = true;
}

void RouteTree::Forget(const Node& node) {
  --nodes_;
  if (node.is_route) --routes_;
  for (const auto& [key, child] : node.children) Forget(*child);
}

}  // namespace sonde::span
