// SPDX-License-Identifier: Apache-2.0
// The services of the cluster, found by the addresses that the cluster gave them. No thread of its
// own and no lock: its owner has one. Full: what is new is left out and counted.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kubernetes/object_json.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

class ServiceTable {
 public:
  ServiceTable(size_t max_services, MetricRegistry& metrics);

  void Put(const Service& service);
  void Remove(const std::string& uid);
  // The whole truth: what is not among them is removed.
  void Replace(const std::vector<Service>& services);

  // Null: it is of no service.
  std::shared_ptr<const ServiceFacts> ByAddress(std::string_view address) const;

 private:
  const size_t max_services_;
  absl::flat_hash_map<std::string, std::vector<std::string>> services_;  // uid to its addresses
  absl::flat_hash_map<std::string, std::shared_ptr<const ServiceFacts>> addresses_;
  Gauge& held_;
  Counter& left_out_;
};

}  // namespace sonde::kubernetes
