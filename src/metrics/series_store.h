// SPDX-License-Identifier: Apache-2.0
// Every series by service, metric and attributes. What is measured belongs to the service, not to
// the single process: worker processes and replicas of a service on this host share its series, and
// its resource is what they have in common (nothing of the process, container or pod).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/instrument.h"
#include "metrics/series.h"
#include "sonde/base/metrics.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/metric.h"
#include "sonde/pipeline/span.h"

namespace sonde::metrics {

using ServiceNumber = uint32_t;
inline constexpr ServiceNumber kNoService = 0;  // sonde's own: what belongs to two services

// The drain thread adds and expires; any thread collects.
class SeriesStore final : public MetricSource {
 public:
  // Beyond, services share one that is called otel.metric.overflow.
  static constexpr size_t kMaxServices = 1000;

  SeriesStore(const MetricsOptions& options, MetricRegistry& metrics);

  ServiceNumber ServiceOf(const std::shared_ptr<const Resource>& resource);
  // The series, or the metric's overflow series if the service has its limit of this metric.
  std::shared_ptr<Series> FindOrAdd(ServiceNumber service, InstrumentId instrument,
                                    Attributes attributes, uint64_t now_ns);
  // Forgets what was not used for the expiration. True if it forgot something: who keeps series or
  // service numbers must ask for them anew.
  bool Expire(uint64_t now_ns);

  std::vector<ResourceMetrics> Collect() const override;

 private:
  using SeriesMap = absl::flat_hash_map<std::string, std::shared_ptr<Series>>;
  struct Service {
    std::shared_ptr<const Resource> resource;  // null: sonde's own
    std::string identity;
    std::array<SeriesMap, kInstruments> series;
  };
  ServiceNumber FindOrAddService(const std::shared_ptr<const Resource>& resource);
  std::shared_ptr<Series> Add(SeriesMap& map, const std::string& key, InstrumentId instrument,
                              Attributes attributes, uint64_t now_ns);

  const Instruments instruments_;
  const size_t limit_;
  const uint64_t expiration_ns_;
  const bool exponential_;
  Gauge& count_;
  Counter& overflows_;

  mutable std::mutex mutex_;  // structure of the maps; series have their own
  absl::flat_hash_map<ServiceNumber, std::unique_ptr<Service>> services_;
  absl::flat_hash_map<std::string, ServiceNumber> by_identity_;

  // Drain thread: the number of each resource object seen. Keeps the objects, so that an address
  // means one of them.
  struct Known {
    std::shared_ptr<const Resource> resource;
    ServiceNumber service = kNoService;
  };
  absl::flat_hash_map<const Resource*, Known> known_;
  const Resource* last_resource_ = nullptr;
  ServiceNumber last_service_ = kNoService;
  ServiceNumber next_service_ = 1;
  uint64_t next_series_ = 1;
};

}  // namespace sonde::metrics
