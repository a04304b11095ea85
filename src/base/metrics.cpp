// SPDX-License-Identifier: Apache-2.0
#include "sonde/base/metrics.h"

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sonde {
namespace {

template <typename Series>
auto& FindOrAdd(Series& series, MetricLabels labels) {
  for (auto& [existing, value] : series) {
    if (existing == labels) return value;
  }
  auto& entry = series.emplace_back();
  entry.first = std::move(labels);
  return entry.second;
}

}  // namespace

MetricRegistry::Family& MetricRegistry::FamilyFor(const std::string& name, const std::string& help,
                                                  MetricType type) {
  for (Family& family : families_) {
    if (family.name == name) return family;
  }
  Family& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

Counter& MetricRegistry::AddCounter(const std::string& name, const std::string& help,
                                    MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  return FindOrAdd(FamilyFor(name, help, MetricType::kCounter).counters, std::move(labels));
}

Gauge& MetricRegistry::AddGauge(const std::string& name, const std::string& help,
                                MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  return FindOrAdd(FamilyFor(name, help, MetricType::kGauge).gauges, std::move(labels));
}

void MetricRegistry::AddCallback(const std::string& name, const std::string& help, MetricType type,
                                 std::function<std::vector<MetricSample>()> read) {
  const std::lock_guard lock(mutex_);
  FamilyFor(name, help, type).readers.push_back(std::move(read));
}

std::vector<MetricFamily> MetricRegistry::Snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<MetricFamily> snapshot;
  snapshot.reserve(families_.size());
  for (const Family& family : families_) {
    MetricFamily& out = snapshot.emplace_back(family.name, family.help, family.type);
    for (const auto& [labels, counter] : family.counters) {
      out.samples.push_back({labels, static_cast<double>(counter.value())});
    }
    for (const auto& [labels, gauge] : family.gauges) {
      out.samples.push_back({labels, static_cast<double>(gauge.value())});
    }
    for (const auto& read : family.readers) {
      for (MetricSample& sample : read()) out.samples.push_back(std::move(sample));
    }
  }
  return snapshot;
}

}  // namespace sonde
