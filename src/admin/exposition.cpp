// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/metrics.h"

namespace sonde::admin {
namespace {

// [a-zA-Z_][a-zA-Z0-9_]*, and for metric names also colons.
bool ValidName(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [colons](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

prometheus::ClientMetric Convert(const MetricSample& sample, MetricType type) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) {
    if (ValidName(name, false)) metric.label.push_back({name, value});
  }
  if (type == MetricType::kCounter) {
    metric.counter.value = sample.value;
  } else {
    metric.gauge.value = sample.value;
  }
  return metric;
}

}  // namespace

std::string PrometheusText(const std::vector<MetricFamily>& families) {
  std::vector<prometheus::MetricFamily> converted;
  converted.reserve(families.size());
  for (const MetricFamily& family : families) {
    if (!ValidName(family.name, true)) continue;
    prometheus::MetricFamily& out = converted.emplace_back();
    out.name = family.name;
    out.help = family.help;
    out.type = family.type == MetricType::kCounter ? prometheus::MetricType::Counter
                                                   : prometheus::MetricType::Gauge;
    for (const MetricSample& sample : family.samples) {
      out.metric.push_back(Convert(sample, family.type));
    }
  }
  return prometheus::TextSerializer().Serialize(converted);
}

}  // namespace sonde::admin
