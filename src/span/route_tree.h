// SPDX-License-Identifier: Apache-2.0
// The routes of one service, learnt from its paths: a tree of segments in which values become
// placeholders, at once by their shape or after too many different ones stood in the same place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sonde::span {

// Bounds: `max_routes` routes and 4 * max_routes + 16 nodes of at most kMaxLiteralBytes each.
class RouteTree {
 public:
  explicit RouteTree(size_t max_routes);
  ~RouteTree();
  RouteTree(const RouteTree&) = delete;
  RouteTree& operator=(const RouteTree&) = delete;

  enum class Outcome : uint8_t { kRoute, kUnknown, kOverflow };
  struct Answer {
    Outcome outcome = Outcome::kUnknown;
    std::string_view route;  // kRoute only; valid until the next call
  };

  // `learn` false: only what is known already is answered (a path that the server did not find
  // names no route).
  Answer Find(std::string_view path, bool learn);

  size_t routes() const { return routes_; }
  size_t nodes() const { return nodes_; }

 private:
  struct Node;
  // The child of `node` for a raw segment; null: not known and not learnt, *outcome says which.
  Node* Step(Node& node, std::string_view segment, bool root_file, bool learn, Outcome& outcome);
  Node* AddChild(Node& parent, std::string_view key, bool learn, Outcome& outcome);
  Node* StepLiteral(Node& node, std::string_view key, bool learn, Outcome& outcome);
  void Collapse(Node& node);
  static bool LooksLikeValues(const Node& node, size_t enough);
  void Forget(const Node& node);

  size_t max_routes_;
  size_t routes_ = 0;
  size_t nodes_ = 1;
  std::string scratch_;  // decoded segment; kept to save allocations
  std::unique_ptr<Node> root_;
};

}  // namespace sonde::span
