// SPDX-License-Identifier: Apache-2.0
// containerd, asked through its own API: what Kubernetes, nerdctl and ctr run, in all namespaces.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "container/grpc_client.h"
#include "container/provider.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

class Containerd final : public Provider {
 public:
  struct Options {
    std::chrono::milliseconds answer_timeout{1000};
    std::chrono::milliseconds reconnect{500};  // of the stream of events
  };

  explicit Containerd(std::string socket) : Containerd(std::move(socket), Options()) {}
  Containerd(std::string socket, Options options);
  ~Containerd() override;
  Containerd(const Containerd&) = delete;
  Containerd& operator=(const Containerd&) = delete;

  std::string_view name() const override { return "containerd"; }
  Result<ContainerFacts> Find(const std::string& id, size_t* cut) override;
  std::vector<std::string> Running() override;
  void Watch(const OnChange& on_change) override;
  void Cancel() override;

  // Does it answer? For `sonde doctor`.
  Status Ping();

 private:
  bool Exists() const;
  Result<std::vector<std::string>> Namespaces();
  Result<std::string> Call(const char* method, const std::string& request,
                           const std::string& name_space);
  void AddDigest(const std::string& image, const std::string& name_space, ContainerFacts& facts);
  void Follow();

  const std::string socket_;
  const Options options_;
  GrpcClient lookups_;
  GrpcClient events_;
  OnChange on_change_;

  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread thread_;
};

// A container of Containers/Get, in a namespace: "moby" is Docker's. Empty if it is none. `*image`
// is the name of its image, as containerd knows it.
Result<ContainerFacts> ParseContainerdContainer(std::string_view answer,
                                                std::string_view name_space, std::string* image,
                                                size_t* cut);
// The container that an event of Events/Subscribe is about, "" if it is about none.
std::string ParseContainerdEvent(std::string_view envelope);

}  // namespace sonde::container
