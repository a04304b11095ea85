// SPDX-License-Identifier: Apache-2.0
// What the metadata service of a cloud says of this host: cloud.*, host.id, host.type,
// host.image.id. Off unless the operator names the cloud, because elsewhere the question goes to
// whoever has the address.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/base/transfer.h"
#include "sonde/pipeline/span.h"

namespace sonde::resource {

class CloudMetadata {
 public:
  struct Options {
    std::vector<std::string>
        providers;  // aws, gcp, azure: asked in this order, the first to answer counts
    std::string base = "http://169.254.169.254";
    std::chrono::milliseconds timeout{1000};  // of each question, with its connection
    std::vector<std::chrono::milliseconds> retries = {std::chrono::seconds(5),
                                                      std::chrono::seconds(30)};
  };

  // Asks on a thread of its own. `metrics` outlives it.
  CloudMetadata(Options options, MetricRegistry& metrics);
  // Ends a question in progress.
  ~CloudMetadata();
  CloudMetadata(const CloudMetadata&) = delete;
  CloudMetadata& operator=(const CloudMetadata&) = delete;

  // Any thread, never waits. Once: what was found.
  std::optional<Attributes> Take();

 private:
  void Run();
  bool Ask(const std::string& provider);
  std::optional<std::string> Request(bool put, const char* path, const std::string& header);

  const Options options_;
  MetricRegistry& metrics_;
  Transfer transfer_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::optional<Attributes> found_;
  std::atomic<bool> ready_{false};
  std::thread thread_;  // last: starts when all else is there
};

// The providers' documents; empty if the text is no such one.
Attributes ParseAws(std::string_view json);
Attributes ParseGcp(std::string_view json);
Attributes ParseAzure(std::string_view json);

}  // namespace sonde::resource
