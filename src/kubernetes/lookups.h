// SPDX-License-Identifier: Apache-2.0
// What a pod does not say of itself: the owner of its ReplicaSet or Job, and its namespace's labels
// and annotations. Each is one GET of one object, made by a worker thread and remembered.
//
//   not asked -> pending -> known, or unknown (refused, not found, no answer)
//   unknown   -> asked again after `retry`; a namespace also when it is known, after `refresh`
// Until the owner is known, and where the API refuses to tell, the name is derived from the pod's
// as Kubernetes composes it: a Deployment's from the label pod-template-hash, a CronJob's from the
// minute in the Job's name, if that is when the pod was made.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "kubernetes/access.h"
#include "kubernetes/api_client.h"
#include "kubernetes/object_json.h"
#include "sonde/base/metrics.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

class Lookups {
 public:
  struct Options {
    bool namespaces = false;
    size_t max_objects = 4096;
    std::chrono::milliseconds timeout{2000};
    std::chrono::milliseconds retry{std::chrono::minutes(1)};
    std::chrono::milliseconds refresh{std::chrono::seconds(30)};
  };
  // On the worker thread: the pods for which `affected` holds are to be completed anew. False:
  // there are none, so the answer may be forgotten.
  using Affected = std::function<bool(const Pod&)>;
  using OnAnswer = std::function<bool(const Affected&)>;

  Lookups(const Access& access, Options options, OnAnswer on_answer, MetricRegistry& metrics);
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // Any thread. Adds to `facts` what is known beyond `pod`, and asks for the rest. False: there is
  // a rest.
  bool Complete(const Pod& pod, PodFacts& facts);

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : uint8_t { kPending, kKnown, kUnknown };
  struct Entry {
    State state = State::kPending;
    ObjectMeta meta;
    Clock::time_point again = Clock::time_point::max();
  };

  const Entry* Ask(const std::string& path);
  bool AddOwner(const Pod& pod, PodFacts& facts);
  bool AddNamespace(const Pod& pod, PodFacts& facts);
  void Run();
  void QueueDue(Clock::time_point now);
  void Do(const std::string& path);
  bool MakeRoom();

  const Options options_;
  const OnAnswer on_answer_;
  MetricRegistry& metrics_;
  Counter& evicted_;
  Counter& cut_;
  ApiClient client_;

  std::mutex mutex_;
  std::condition_variable wake_;
  absl::flat_hash_map<std::string, Entry> entries_;  // by path
  std::deque<std::string> queue_;
  absl::flat_hash_map<std::string, Clock::time_point> refused_;  // resource, until when
  bool stop_ = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace sonde::kubernetes
