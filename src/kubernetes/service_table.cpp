// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/service_table.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kubernetes/object_json.h"
#include "kubernetes/requests.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

ServiceTable::ServiceTable(size_t max_services, MetricRegistry& metrics)
    : max_services_(max_services),
      held_(metrics.AddGauge("sonde_kubernetes_services",
                             "Services of the cluster that are known by an address")),
      left_out_(Dropped(metrics, "services_full")) {}

void ServiceTable::Put(const Service& service) {
  Remove(service.uid);
  if (service.addresses.empty()) return;
  if (services_.size() >= max_services_) return left_out_.Add();
  services_.emplace(service.uid, service.addresses);
  const auto facts = std::make_shared<const ServiceFacts>(
      ServiceFacts{.name = service.name, .namespace_name = service.namespace_name});
  for (const std::string& address : service.addresses) addresses_[address] = facts;
  held_.Set(static_cast<int64_t>(services_.size()));
}

void ServiceTable::Remove(const std::string& uid) {
  const auto found = services_.find(uid);
  if (found == services_.end()) return;
  for (const std::string& address : found->second) addresses_.erase(address);
  services_.erase(found);
  held_.Set(static_cast<int64_t>(services_.size()));
}

void ServiceTable::Replace(const std::vector<Service>& services) {
  services_.clear();
  addresses_.clear();
  held_.Set(0);
  for (const Service& service : services) Put(service);
}

std::shared_ptr<const ServiceFacts> ServiceTable::ByAddress(std::string_view address) const {
  const auto found = addresses_.find(std::string(address));
  return found == addresses_.end() ? nullptr : found->second;
}

}  // namespace sonde::kubernetes
