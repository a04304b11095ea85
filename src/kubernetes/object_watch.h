// SPDX-License-Identifier: Apache-2.0
// Follows objects of one kind, the pods of a node or all services: a list, then the API's watch
// from where the list ended.
//
//   listing   -> watching            all pages are here
//   watching  -> watching            the server ended the watch, as it does every few minutes
//   watching  -> listing             410: the resource version is too old; or the resync is due
//   any       -> waiting -> as before  no answer, refusal: with a growing, random delay; meanwhile
//                                    the kubelet of the node is asked for pods, if there is one
// One thread, except Cancel() and Hurry().
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kubernetes/access.h"
#include "kubernetes/api_client.h"
#include "kubernetes/object_json.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {

struct WatchOptions {
  std::string node;  // only what runs there; empty = everything
  size_t page_size = 250;
  size_t max_objects = 4096;  // of a list; what is beyond is not read
  std::chrono::milliseconds request_timeout{10'000};
  std::chrono::seconds watch{240};  // how long the server is to keep a watch, at least
  std::chrono::milliseconds first_wait{500};
  std::chrono::milliseconds max_wait{30'000};
  std::chrono::milliseconds resync{std::chrono::minutes(30)};
  std::chrono::milliseconds kubelet_pause{5'000};      // while the API server does not answer
  std::chrono::milliseconds kubelet_min_pause{1'000};  // when something unknown is asked for
};

// Who hears of the objects, on the thread that runs the watch.
template <typename Object>
struct WatchSink {
  std::function<void(std::vector<Object>)> on_list;  // all there are
  std::function<void(Object)> on_put;
  std::function<void(const std::string& uid)> on_deleted;
  // Whether somebody answers: the API server or, in its place, the kubelet.
  std::function<void(bool answered)> on_state;
};

// `Object` is Pod or Service.
template <typename Object>
class ObjectWatch {
 public:
  // `kubelet`, of pods only: empty = is not asked.
  ObjectWatch(const Access& api, const std::optional<Access>& kubelet, WatchOptions options,
              WatchSink<Object> sink, MetricRegistry& metrics);

  void Run();     // until Cancel()
  void Cancel();  // any thread
  void Hurry();   // any thread: an object is asked for that is not known

 private:
  using Clock = std::chrono::steady_clock;

  Status Round();
  Status List();
  Status ListPages(std::vector<Object>& objects);
  std::string Query() const;
  Status Watch();
  bool OnLine(std::string_view line);
  bool AskKubelet();
  void WaitToRetry();
  bool WaitUntil(Clock::time_point deadline, Clock::time_point not_before);
  void Report(const Status& status);
  std::chrono::milliseconds Delay();
  void CountRestart(const char* reason);

  const WatchOptions options_;
  const WatchSink<Object> sink_;
  MetricRegistry& metrics_;
  Counter& malformed_;
  Counter& cut_;
  Counter& line_too_long_;
  ApiClient api_;
  std::unique_ptr<ApiClient> kubelet_;
  std::minstd_rand random_;

  std::string resource_version_;
  const char* list_reason_ = "start";  // null: no list is due
  bool expired_ = false;  // the next list must not come from a cache that may be as old
  Clock::time_point listed_at_;
  Status watch_error_;  // as the watch itself told
  unsigned failures_ = 0;
  std::string reported_;  // the last failure that was logged

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  bool hurry_ = false;
};

}  // namespace sonde::kubernetes
