// SPDX-License-Identifier: Apache-2.0
#include "span/route_learner.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "span/route_tree.h"

namespace sonde::span {
namespace {

// Bytes of a path that are looked at. 64 KiB heads are legal; a route is in the first part or
// nowhere.
constexpr size_t kMaxPathBytes = 2048;

// Answers that say the path or method means nothing to this server.
bool Teaches(uint32_t status) {
  switch (status) {
    case 0:
    case 400:
    case 404:
    case 405:
    case 414:
    case 431:
    case 501:
      return false;
    default:
      return true;
  }
}

}  // namespace

RouteLearner::RouteLearner(const RouteOptions& options, MetricRegistry& metrics)
    : max_per_service_(std::max<size_t>(1, options.max_per_service)),
      patterns_(options.patterns),
      overflow_(metrics.AddCounter(
          "sonde_routes_overflow_total",
          "Requests named by the overflow route: their service has too many routes.")) {}

std::string_view RouteLearner::RouteOf(std::string_view service, std::string_view path,
                                       uint32_t status) {
  path = path.substr(0, kMaxPathBytes);
  if (path == "/") return "/";
  if (!path.starts_with('/')) return {};  // "*" and CONNECT have no route
  if (const auto pattern = patterns_.Match(path)) return *pattern;
  const RouteTree::Answer answer = TreeFor(service).Find(path, Teaches(status));
  if (answer.outcome != RouteTree::Outcome::kOverflow) return answer.route;
  overflow_.Add();
  return kOverflowRoute;
}

RouteTree& RouteLearner::TreeFor(std::string_view service) {
  const auto known = services_.find(service);
  if (known != services_.end()) return *known->second;
  const std::string key(services_.size() < kMaxServices ? service : std::string_view{});
  std::unique_ptr<RouteTree>& tree = services_[key];
  if (tree == nullptr) tree = std::make_unique<RouteTree>(max_per_service_);
  return *tree;
}

}  // namespace sonde::span
