// SPDX-License-Identifier: Apache-2.0
// The pods of this node, found by container id, pod uid or address. No thread of its own and no
// lock: its owner has one.
//
//   Put         new or changed: facts are made anew for each of its containers
//   Remove      deleted: kept for `keep_deleted`, because spans of its last moments are on their
//   way Describe    owners or namespace of a pod are known better now
// Full: the longest deleted pod goes, else the one that was put longest ago.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kubernetes/object_json.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

class PodTable {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    size_t max_pods = 4096;
    std::chrono::milliseconds keep_deleted{std::chrono::minutes(1)};
    std::string cluster;
    std::vector<std::string> wanted_env;  // names of variables that are kept
  };
  // Adds what stands elsewhere: owners beyond the nearest, the namespace. False: not all of it is
  // known yet.
  using Complete = std::function<bool(const Pod& pod, PodFacts& facts)>;

  PodTable(Options options, Complete complete, MetricRegistry& metrics);

  void Put(Pod pod);
  void Remove(const std::string& uid, Clock::time_point now);
  // The whole truth: what is not among them is removed.
  void Replace(std::vector<Pod> pods, Clock::time_point now);
  // Makes the facts anew of the pods for which `affected` holds.
  void Describe(const std::function<bool(const Pod&)>& affected);
  void Forget(Clock::time_point now);  // what was deleted long enough ago

  struct Found {
    std::shared_ptr<const PodFacts> facts;
    bool complete = false;  // nothing of it is being looked up
  };
  Found ByContainer(std::string_view container_id) const;
  Found ByUid(std::string_view pod_uid) const;      // the facts of no container in particular
  Found ByAddress(std::string_view address) const;  // the same

  // Container ids and pod uids whose facts have changed since the last call.
  std::vector<std::string> TakeChanged();
  bool all_complete() const;  // of none is anything being looked up
  size_t size() const { return pods_.size() - deleted_.size(); }

 private:
  struct Entry {
    Pod pod;
    bool complete = false;
    std::shared_ptr<const PodFacts> facts;
    std::vector<std::shared_ptr<const PodFacts>> by_container;  // as pod.containers
    bool deleted = false;
    uint64_t put = 0;
  };

  void Make(Entry& entry);
  void Unlink(const Pod& pod);
  void Erase(const std::string& uid);
  void MakeRoom();
  void NoteChanged(const std::string& id);

  const Options options_;
  const Complete complete_;
  absl::flat_hash_map<std::string, Entry> pods_;                                 // by uid
  absl::flat_hash_map<std::string, std::pair<std::string, size_t>> containers_;  // uid, index
  absl::flat_hash_map<std::string, std::string> config_hashes_;  // of static pods, to the uid
  absl::flat_hash_map<std::string, std::string> addresses_;      // to the uid
  std::deque<std::pair<std::string, Clock::time_point>> deleted_;
  absl::flat_hash_set<std::string> changed_;
  uint64_t puts_ = 0;
  Gauge& held_;
  Counter& evicted_;
};

}  // namespace sonde::kubernetes
