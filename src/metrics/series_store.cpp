// SPDX-License-Identifier: Apache-2.0
#include "metrics/series_store.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/attribute_key.h"
#include "metrics/instrument.h"
#include "metrics/series.h"
#include "sonde/base/clock.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {
namespace {

constexpr size_t kMaxKnownResources = 512;
constexpr std::string_view kOverflow = "otel.metric.overflow";

bool BelongsToService(std::string_view key) {
  constexpr std::array kOfOneProcess = std::to_array<std::string_view>(
      {"process.", "container.", "service.instance.", "k8s.pod.", "k8s.container."});
  return std::ranges::none_of(kOfOneProcess,
                              [&](std::string_view prefix) { return key.starts_with(prefix); });
}

// Keys of a resource live as long as it does.
struct OfService : Resource {
  std::shared_ptr<const Resource> source;
};

std::shared_ptr<const Resource> ServiceResource(const std::shared_ptr<const Resource>& resource) {
  auto service = std::make_shared<OfService>();
  service->source = resource;
  service->service_name = resource->service_name;
  std::ranges::copy_if(resource->attributes, std::back_inserter(service->attributes),
                       [](const Attribute& a) { return BelongsToService(a.key); });
  return service;
}

std::string IdentityOf(const Resource& resource) {
  std::string identity;
  AppendText(resource.service_name, identity);
  for (const std::string_view key : {"service.namespace", "deployment.environment.name"}) {
    AppendValue(FindAttribute(resource.attributes, key), identity);
  }
  return identity;
}

const std::shared_ptr<const Resource>& OverflowService() {
  static const auto resource = std::make_shared<const Resource>(
      Resource{.attributes = {{"service.name", std::string(kOverflow)}, {kOverflow, true}},
               .service_name = std::string(kOverflow)});
  return resource;
}

MetricData DataOf(const Instrument& instrument) {
  return {.name = instrument.name,
          .unit = instrument.unit,
          .description = instrument.description,
          .kind = instrument.kind,
          .bounds = instrument.bounds,
          .whole = instrument.kind != MetricKind::kHistogram,
          .points = {}};
}

// Calls are what the durations count.
MetricData CallsOf(const Instrument& instrument, const std::vector<MetricPoint>& durations) {
  MetricData calls;
  calls.name = instrument.calls_name;
  calls.description = "Number of spans.";
  calls.whole = true;
  calls.points.reserve(durations.size());
  for (const MetricPoint& duration : durations) {
    MetricPoint& point = calls.points.emplace_back();
    point.series = duration.series;
    point.attributes = duration.attributes;
    point.start_wall_ns = duration.start_wall_ns;
    point.value = static_cast<double>(duration.count);
  }
  return calls;
}

}  // namespace

SeriesStore::SeriesStore(const MetricsOptions& options, MetricRegistry& metrics)
    : instruments_(MakeInstruments(options)),
      limit_(options.cardinality_limit),
      expiration_ns_(static_cast<uint64_t>(std::chrono::nanoseconds(options.expiration).count())),
      exponential_(options.exponential),
      count_(metrics.AddGauge("sonde_metric_series", "Series of metrics made of spans.")),
      overflows_(metrics.AddCounter("sonde_metric_overflows_total",
                                    "Series that were asked for beyond the cardinality limit.")) {
  services_[kNoService] = std::make_unique<Service>();
}

ServiceNumber SeriesStore::ServiceOf(const std::shared_ptr<const Resource>& resource) {
  if (resource == nullptr) return kNoService;
  if (resource.get() == last_resource_) return last_service_;
  last_resource_ = resource.get();
  const auto known = known_.find(resource.get());
  if (known != known_.end()) return last_service_ = known->second.service;
  if (known_.size() >= kMaxKnownResources) known_.clear();
  last_service_ = FindOrAddService(resource);
  known_[resource.get()] = {resource, last_service_};
  return last_service_;
}

ServiceNumber SeriesStore::FindOrAddService(const std::shared_ptr<const Resource>& resource) {
  const std::lock_guard lock(mutex_);
  const bool full = by_identity_.size() >= kMaxServices;
  std::string identity = IdentityOf(*resource);
  auto found = by_identity_.find(identity);
  std::shared_ptr<const Resource> described = resource;
  if (found == by_identity_.end() && full) {
    described = OverflowService();
    identity = IdentityOf(*described);
    found = by_identity_.find(identity);
  }
  if (found != by_identity_.end()) {
    // The newest process says what the service is: a new version replaces the old one.
    services_[found->second]->resource = ServiceResource(described);
    return found->second;
  }
  auto service = std::make_unique<Service>();
  service->resource = ServiceResource(described);
  service->identity = identity;
  const ServiceNumber number = next_service_++;
  services_[number] = std::move(service);
  by_identity_[identity] = number;
  return number;
}

std::shared_ptr<Series> SeriesStore::FindOrAdd(ServiceNumber service, InstrumentId instrument,
                                               Attributes attributes, uint64_t now_ns) {
  std::string key;
  AppendAll(attributes, key);
  const std::lock_guard lock(mutex_);
  SeriesMap& map = services_[service]->series.at(static_cast<size_t>(instrument));
  const auto found = map.find(key);
  if (found != map.end()) return found->second;
  if (map.size() < limit_) return Add(map, key, instrument, std::move(attributes), now_ns);
  overflows_.Add();
  attributes = {{kOverflow, true}};
  key.clear();
  AppendAll(attributes, key);
  const auto overflow = map.find(key);
  if (overflow != map.end()) return overflow->second;
  return Add(map, key, instrument, std::move(attributes), now_ns);
}

std::shared_ptr<Series> SeriesStore::Add(SeriesMap& map, const std::string& key,
                                         InstrumentId instrument, Attributes attributes,
                                         uint64_t now_ns) {
  auto series = std::make_shared<Series>(
      next_series_++, std::make_shared<const Attributes>(std::move(attributes)),
      instruments_.at(static_cast<size_t>(instrument)).bounds, exponential_, WallNow());
  series->Touch(now_ns);
  map[key] = series;
  count_.Add(1);
  return series;
}

bool SeriesStore::Expire(uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  size_t gone = 0;
  absl::erase_if(services_, [&](auto& entry) {
    bool empty = true;
    for (SeriesMap& map : entry.second->series) {
      gone += absl::erase_if(map, [&](const auto& series) {
        return series.second->idle_since_ns() + expiration_ns_ < now_ns;
      });
      empty = empty && map.empty();
    }
    if (!empty || entry.first == kNoService) return false;
    by_identity_.erase(entry.second->identity);
    ++gone;
    return true;
  });
  if (gone == 0) return false;
  int64_t left = 0;
  for (const auto& [number, service] : services_) {
    for (const SeriesMap& map : service->series) left += static_cast<int64_t>(map.size());
  }
  count_.Set(left);
  known_.clear();
  last_resource_ = nullptr;
  return true;
}

std::vector<ResourceMetrics> SeriesStore::Collect() const {
  // Copies who there is under the lock, and reads them without it.
  struct Part {
    std::shared_ptr<const Resource> resource;
    std::array<std::vector<std::shared_ptr<Series>>, kInstruments> series;
  };
  std::vector<Part> parts;
  {
    const std::lock_guard lock(mutex_);
    parts.reserve(services_.size());
    for (const auto& [number, service] : services_) {
      Part& part = parts.emplace_back();
      part.resource = service->resource;
      for (size_t i = 0; i < kInstruments; ++i) {
        part.series.at(i).reserve(service->series.at(i).size());
        for (const auto& [key, series] : service->series.at(i)) part.series.at(i).push_back(series);
      }
    }
  }
  std::vector<ResourceMetrics> all;
  for (const Part& part : parts) {
    ResourceMetrics out{.resource = part.resource, .metrics = {}};
    for (size_t i = 0; i < kInstruments; ++i) {
      if (part.series.at(i).empty()) continue;
      const Instrument& instrument = instruments_.at(i);
      MetricData data = DataOf(instrument);
      data.points.reserve(part.series.at(i).size());
      for (const auto& series : part.series.at(i)) {
        MetricPoint point = series->Read();
        const bool nothing = instrument.kind == MetricKind::kHistogram && point.count == 0;
        if (!nothing) data.points.push_back(std::move(point));
      }
      if (data.points.empty()) continue;
      if (!instrument.calls_name.empty()) out.metrics.push_back(CallsOf(instrument, data.points));
      out.metrics.push_back(std::move(data));
    }
    if (!out.metrics.empty()) all.push_back(std::move(out));
  }
  return all;
}

}  // namespace sonde::metrics
