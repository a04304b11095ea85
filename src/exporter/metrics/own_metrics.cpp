// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/own_metrics.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::exporter {
namespace {

constexpr uint64_t kFirstSeries = uint64_t{1} << 63;  // those of traced services count from 1

}  // namespace

OwnMetrics::OwnMetrics(std::shared_ptr<const Resource> sonde, uint64_t start_wall_ns)
    : sonde_(std::move(sonde)), start_wall_ns_(start_wall_ns) {}

const OwnMetrics::Known& OwnMetrics::KnownOf(const std::string& name, const MetricLabels& labels) {
  std::string key = name;
  for (const auto& [label, value] : labels)
    key.append("\0", 1).append(label).append("=", 1).append(value);
  const auto [known, added] = known_.try_emplace(std::move(key));
  if (!added) return known->second;
  known->second.series = kFirstSeries + known_.size();
  Attributes attributes;
  for (const auto& [label, value] : labels) {
    attributes.push_back({*label_names_.insert(label).first, value});
  }
  known->second.attributes = std::make_shared<const Attributes>(std::move(attributes));
  return known->second;
}

ResourceMetrics OwnMetrics::Convert(const std::vector<MetricFamily>& families) {
  ResourceMetrics own{.resource = sonde_, .metrics = {}};
  for (const MetricFamily& family : families) {
    if (family.samples.empty()) continue;
    MetricData& data = own.metrics.emplace_back();
    data.name = family.name;
    data.description = family.help;
    data.kind = family.type == MetricType::kCounter ? MetricKind::kSum : MetricKind::kGauge;
    data.points.reserve(family.samples.size());
    for (const MetricSample& sample : family.samples) {
      const Known& known = KnownOf(family.name, sample.labels);
      MetricPoint& point = data.points.emplace_back();
      point.series = known.series;
      point.attributes = known.attributes;
      point.start_wall_ns = start_wall_ns_;
      point.value = sample.value;
    }
  }
  return own;
}

}  // namespace sonde::exporter
