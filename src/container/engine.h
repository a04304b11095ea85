// SPDX-License-Identifier: Apache-2.0
// A container engine that is asked through Docker's API: Docker itself, or podman.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "container/endpoints.h"
#include "container/engine_client.h"
#include "container/provider.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

class Engine final : public Provider {
 public:
  struct Options {
    std::chrono::milliseconds answer_timeout{1000};
    // After a time-out the engine is left alone for so long, that it holds nobody else up.
    std::chrono::milliseconds rest{3000};
    std::chrono::milliseconds reconnect{500};  // of the stream of events
  };

  explicit Engine(const Endpoint& endpoint) : Engine(endpoint, Options()) {}
  Engine(const Endpoint& endpoint, Options options);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::string_view name() const override { return endpoint_.engine; }
  Result<ContainerFacts> Find(const std::string& id, size_t* cut) override;
  std::vector<std::string> Running() override;
  void Watch(OnChange on_change) override;
  void Cancel() override;

 private:
  using Clock = std::chrono::steady_clock;

  bool Exists() const;
  Result<std::string> Get(const std::string& path);
  std::string ImageOf(const std::string& image_id);
  void Follow();

  const Endpoint endpoint_;
  const Options options_;
  EngineClient lookups_;
  EngineClient events_;
  Clock::time_point resting_until_;
  std::map<std::string, std::string> images_;  // id -> answer; few, and each some KiB
  OnChange on_change_;

  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sonde::container
