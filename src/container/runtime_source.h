// SPDX-License-Identifier: Apache-2.0
// What container runtimes know about containers, kept in memory and up to date by a worker thread.
//
//   asked about      -> wanted -> known, or unknown after every provider was asked and a short time
//                       in which the engine may not have known it yet either
//   engine's event   -> asked again; a new container is looked up before its first process runs
//   no events (files) -> looked at once a second
// The longest not asked for is forgotten when there are too many.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "container/provider.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

class RuntimeSource final : public WorkloadSource {
 public:
  struct Options {
    size_t max_containers = 4096;
    // A container that nobody knows is asked for again after these times, then at the last one's
    // pace. The first of them, up to `pending_tries`, belong to its start.
    std::vector<std::chrono::milliseconds> retries = {
        std::chrono::milliseconds(50), std::chrono::milliseconds(200),
        std::chrono::milliseconds(500), std::chrono::seconds(2), std::chrono::seconds(30)};
    size_t pending_tries = 4;
    std::chrono::milliseconds file_check{1000};
    std::vector<std::string> wanted_env = {};  // names of variables that are kept
  };

  // The strongest provider first. `metrics` outlives it.
  RuntimeSource(std::vector<std::unique_ptr<Provider>> providers, MetricRegistry& metrics)
      : RuntimeSource(std::move(providers), metrics, Options()) {}
  RuntimeSource(std::vector<std::unique_ptr<Provider>> providers, MetricRegistry& metrics,
                Options options);
  ~RuntimeSource() override;
  RuntimeSource(const RuntimeSource&) = delete;
  RuntimeSource& operator=(const RuntimeSource&) = delete;

  std::shared_ptr<const ContainerFacts> Container(const Membership& of) override;
  Surroundings AtAddress(std::string_view address) const override;
  bool Pending(const Membership& of) const override;
  std::vector<std::string> TakeChanged() override;

  // Until nothing is pending, at most so long. For the start of sonde, and tests.
  void Settle(std::chrono::milliseconds at_most);

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<const ContainerFacts> facts;
    std::string runtime;  // as the control group names it
    Provider* by = nullptr;
    int64_t stamp = 0;
    size_t tries = 0;
    bool pending = true;
    uint64_t used = 0;
  };
  struct Task {
    std::string id;  // "": all that run
    Clock::time_point due;
  };
  struct Answer {
    std::shared_ptr<const ContainerFacts> facts;
    Provider* by = nullptr;
    int64_t stamp = 0;
  };

  void Want(std::string id, Clock::time_point due);
  void MakeRoom();
  void NoteChanged(const std::string& id);
  void SetFacts(std::shared_ptr<const ContainerFacts> facts, Entry& entry);
  void Run();
  void Do(const std::string& id);
  void ListRunning();
  Answer Ask(const std::string& id);
  void CheckFiles();

  const Options options_;
  std::vector<std::unique_ptr<Provider>> providers_;
  MetricRegistry& metrics_;
  Gauge& held_;
  Counter& evicted_;
  Counter& cut_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable settled_;
  absl::flat_hash_map<std::string, Entry> entries_;
  absl::flat_hash_map<std::string, std::shared_ptr<const ContainerFacts>>
      at_;  // address -> entry's
  std::deque<Task> tasks_;
  std::vector<std::string> changed_;
  uint64_t uses_ = 0;
  bool stop_ = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace sonde::container
