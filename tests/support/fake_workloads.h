// SPDX-License-Identifier: Apache-2.0
// A source of container facts whose answers come when the test says so.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde {

class FakeWorkloads final : public WorkloadSource {
 public:
  std::shared_ptr<const ContainerFacts> Container(const Membership& of) override {
    const auto found = known_.find(of.container_id);
    if (found != known_.end()) return found->second;
    if (!of.container_id.empty() && !given_up_.contains(of.container_id)) {
      pending_.insert(of.container_id);
    }
    return {};
  }
  bool Pending(const Membership& of) const override { return pending_.contains(of.container_id); }
  std::vector<std::string> TakeChanged() override { return std::exchange(changed_, {}); }

  Surroundings AtAddress(std::string_view address) const override {
    Surroundings found;
    for (const auto& [id, facts] : known_) {
      for (const std::string& own : facts->addresses) {
        if (own == address) found.container = facts;
      }
    }
    const auto pod = pods_.find(std::string(address));
    if (pod != pods_.end()) found.pod = pod->second;
    return found;
  }
  void KnowPod(const std::string& address, PodFacts facts) {
    pods_[address] = std::make_shared<const PodFacts>(std::move(facts));
  }

  void KnowService(const std::string& address, ServiceFacts facts) {
    services_[address] = std::make_shared<const ServiceFacts>(std::move(facts));
  }
  std::shared_ptr<const ServiceFacts> ServiceAt(std::string_view address) const override {
    const auto found = services_.find(std::string(address));
    return found == services_.end() ? nullptr : found->second;
  }

  void Know(const std::string& id, const std::string& name, Labels labels = {},
            std::vector<std::string> addresses = {}) {
    ContainerFacts facts;
    facts.id = id;
    facts.runtime = "docker";
    facts.name = name;
    facts.image_name = "registry/shop/" + name;
    facts.image_tags = {"1.2"};
    facts.labels = std::move(labels);
    facts.addresses = std::move(addresses);
    known_[id] = std::make_shared<const ContainerFacts>(std::move(facts));
    pending_.erase(id);
    changed_.push_back(id);
  }
  void GiveUp(const std::string& id) {
    given_up_.insert(id);
    pending_.erase(id);
    changed_.push_back(id);
  }

  // An id of 64 digits, all the same.
  static std::string Id(char digit) { return std::string(64, digit); }
  // The text of a process's cgroup file.
  static std::string Cgroup(char digit) { return "0::/docker/" + Id(digit) + "\n"; }

 private:
  std::map<std::string, std::shared_ptr<const ContainerFacts>> known_;
  std::map<std::string, std::shared_ptr<const PodFacts>> pods_;          // by address
  std::map<std::string, std::shared_ptr<const ServiceFacts>> services_;  // by address
  std::set<std::string> pending_;
  std::set<std::string> given_up_;
  std::vector<std::string> changed_;
};

}  // namespace sonde
