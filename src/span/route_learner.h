// SPDX-License-Identifier: Apache-2.0
// Low-cardinality routes for paths: operator patterns first, then what was learnt per service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "span/route_pattern.h"
#include "span/route_tree.h"
#include "span/text_map.h"

namespace sonde::span {

class RouteLearner {
 public:
  RouteLearner(const RouteOptions& options, MetricRegistry& metrics);

  // The route of a path (without query), or empty if none is known: a path that the server answered
  // with "no such thing" teaches nothing, or a scanner could fill the tables. kOverflowRoute beyond
  // the cap. `status` 0 = no answer seen. The view is valid until the next call.
  std::string_view RouteOf(std::string_view service, std::string_view path, uint32_t status);

  // What every path beyond max_per_service is called.
  static constexpr std::string_view kOverflowRoute = "/*";
  // Services with routes of their own; later ones share one table. 100 services are the memory
  // target's case.
  static constexpr size_t kMaxServices = 512;

 private:
  RouteTree& TreeFor(std::string_view service);

  size_t max_per_service_;
  RoutePatterns patterns_;
  TextMap<std::unique_ptr<RouteTree>> services_;
  Counter& overflow_;
};

}  // namespace sonde::span
