// SPDX-License-Identifier: Apache-2.0
// sonde's metrics about itself in OpenTelemetry's data model: names and labels as at /metrics. One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {

class OwnMetrics {
 public:
  // `sonde`: the resource that says who it is. Counters are taken to have begun at `start_wall_ns`.
  OwnMetrics(std::shared_ptr<const Resource> sonde, uint64_t start_wall_ns);

  // Points of it are valid as long as this object.
  ResourceMetrics Convert(const std::vector<MetricFamily>& families);

 private:
  struct Known {
    uint64_t series = 0;
    std::shared_ptr<const Attributes> attributes;
  };
  const Known& KnownOf(const std::string& name, const MetricLabels& labels);

  const std::shared_ptr<const Resource> sonde_;
  const uint64_t start_wall_ns_;
  std::map<std::string, Known> known_;  // by name and labels
  std::set<std::string> label_names_;   // keys of attributes point here
};

}  // namespace sonde::exporter
