// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/object_watch.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kubernetes/access.h"
#include "kubernetes/api_client.h"
#include "kubernetes/object_json.h"
#include "kubernetes/remedy.h"
#include "kubernetes/requests.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {
namespace {

// A watch that ends sooner than this is as good as a failure: no tight loop.
constexpr std::chrono::seconds kShortWatch{1};
constexpr size_t kMaxPages = 1000;

template <typename Object>
constexpr const char* kResource = nullptr;
template <>
constexpr const char* kResource<Pod> = "pods";
template <>
constexpr const char* kResource<Service> = "services";

}  // namespace

template <typename Object>
ObjectWatch<Object>::ObjectWatch(const Access& api, const std::optional<Access>& kubelet,
                                 WatchOptions options, WatchSink<Object> sink,
                                 MetricRegistry& metrics)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      metrics_(metrics),
      malformed_(Dropped(metrics, "malformed")),
      cut_(Dropped(metrics, "label_cut")),
      line_too_long_(Dropped(metrics, "line_too_long")),
      api_(api),
      kubelet_(kubelet ? std::make_unique<ApiClient>(*kubelet) : nullptr),
      random_(std::random_device{}()) {}

template <typename Object>
void ObjectWatch<Object>::Cancel() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  api_.Cancel();
  if (kubelet_ != nullptr) kubelet_->Cancel();
  wake_.notify_all();
}

template <typename Object>
void ObjectWatch<Object>::Hurry() {
  {
    const std::scoped_lock lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_all();
}

template <typename Object>
void ObjectWatch<Object>::Run() {
  while (true) {
    const Status status = Round();
    {
      const std::scoped_lock lock(mutex_);
      if (stop_) return;
    }
    Report(status);
    if (status.ok()) continue;
    // What happens meanwhile is not seen, and the kubelet's list takes the place of the API's.
    if (list_reason_ == nullptr) list_reason_ = "outage";
    ++failures_;
    WaitToRetry();
  }
}

template <typename Object>
Status ObjectWatch<Object>::Round() {
  if (Clock::now() - listed_at_ > options_.resync && list_reason_ == nullptr) {
    list_reason_ = "resync";
  }
  if (list_reason_ != nullptr) {
    if (Status status = List(); !status.ok()) return status;
  }
  return Watch();
}

template <typename Object>
Status ObjectWatch<Object>::List() {
  metrics_
      .AddCounter("sonde_kubernetes_relists_total", "Lists of all that is followed, by reason",
                  {{"resource", kResource<Object>}, {"reason", list_reason_}})
      .Add();
  std::vector<Object> objects;
  Status status = ListPages(objects);
  if (absl::IsOutOfRange(status)) {  // the next page is of a list that is too old by now
    objects.clear();
    status = ListPages(objects);
  }
  if (!status.ok()) return status;
  list_reason_ = nullptr;
  expired_ = false;
  listed_at_ = Clock::now();
  sink_.on_list(std::move(objects));
  sink_.on_state(true);
  Report(absl::OkStatus());
  return absl::OkStatus();
}

// The address up to where parameters are added.
template <typename Object>
std::string ObjectWatch<Object>::Query() const {
  const std::string path = absl::StrCat("/api/v1/", kResource<Object>, "?");
  if (options_.node.empty()) return path;
  return absl::StrCat(path, "fieldSelector=spec.nodeName%3D", EscapeQuery(options_.node), "&");
}

template <typename Object>
Status ObjectWatch<Object>::ListPages(std::vector<Object>& objects) {
  std::string next;
  for (size_t page_number = 0; page_number < kMaxPages; ++page_number) {
    // Version 0 is answered from the server's memory, which spares its database when a thousand
    // nodes start at once.
    const std::string path =
        absl::StrCat(Query(), "limit=", options_.page_size,
                     next.empty() ? (expired_ ? "" : "&resourceVersion=0") : "&continue=", next);
    const auto text = api_.Get(path, options_.request_timeout);
    size_t cut = 0;
    auto page = text.ok() ? ParseList<Object>(*text, &cut) : std::nullopt;
    if (!page) {
      Status status =
          text.ok()
              ? absl::InternalError(absl::StrCat("the list of ", kResource<Object>, " is no list"))
              : text.status();
      CountRequest(metrics_, "list", kResource<Object>, status);
      return status;
    }
    CountRequest(metrics_, "list", kResource<Object>, absl::OkStatus());
    cut_.Add(cut);
    malformed_.Add(page->malformed);
    resource_version_ = page->resource_version;
    std::ranges::move(page->items, std::back_inserter(objects));
    next = EscapeQuery(page->next);
    if (next.empty()) return absl::OkStatus();
    if (objects.size() >= options_.max_objects) break;
  }
  Dropped(metrics_, "list_too_long").Add();
  return absl::OkStatus();
}

template <typename Object>
Status ObjectWatch<Object>::Watch() {
  constexpr std::chrono::seconds kGrace{10};
  const auto keep = options_.watch + std::chrono::seconds(std::uniform_int_distribution<int64_t>(
                                         0, options_.watch.count() / 4)(random_));
  const std::string path =
      absl::StrCat(Query(), "watch=true&allowWatchBookmarks=true&resourceVersion=",
                   EscapeQuery(resource_version_), "&timeoutSeconds=", keep.count());
  watch_error_ = absl::OkStatus();
  size_t left_out = 0;
  const auto begun = Clock::now();
  Status status = api_.Follow(
      path, keep + kGrace, [this](std::string_view line) { return OnLine(line); }, &left_out);
  line_too_long_.Add(left_out);
  if (status.ok() && !watch_error_.ok()) status = watch_error_;
  CountRequest(metrics_, "watch", kResource<Object>, status);
  CountRestart(status.ok() ? "ended" : ResultName(status));
  const bool was_short = Clock::now() - begun < kShortWatch;
  if (absl::IsOutOfRange(status)) {
    list_reason_ = "expired";
    expired_ = true;
    if (failures_ == 0) {  // once at once; a server that says so again and again is waited for
      ++failures_;
      return absl::OkStatus();
    }
    return status;
  }
  if (!status.ok()) return status;
  if (was_short) return absl::AbortedError("the server ended the watch as soon as it had begun");
  failures_ = 0;
  return absl::OkStatus();
}

// False: the watch is over.
template <typename Object>
bool ObjectWatch<Object>::OnLine(std::string_view line) {
  constexpr int kGone = 410;
  size_t cut = 0;
  auto event = ParseWatchEvent<Object>(line, &cut);
  cut_.Add(cut);
  if (!event) {
    malformed_.Add();
    return true;
  }
  if (event->type == ChangeType::kError) {
    watch_error_ = event->code == kGone ? absl::OutOfRangeError(event->message)
                                        : absl::UnavailableError(event->message);
    return false;
  }
  failures_ = 0;
  if (!event->resource_version.empty()) resource_version_ = event->resource_version;
  if (event->type == ChangeType::kPut) sink_.on_put(std::move(event->object));
  if (event->type == ChangeType::kDeleted) sink_.on_deleted(event->object.uid);
  return true;
}

template <typename Object>
bool ObjectWatch<Object>::AskKubelet() {
  if (kubelet_ == nullptr) return false;
  const auto text = kubelet_->Get("/pods", options_.request_timeout);
  size_t cut = 0;
  auto page = text.ok() ? ParseList<Object>(*text, &cut) : std::nullopt;
  CountRequest(metrics_, "list", "kubelet_pods",
               text.ok() && !page ? absl::InternalError("no list") : text.status());
  if (!page) return false;
  cut_.Add(cut);
  malformed_.Add(page->malformed);
  sink_.on_list(std::move(page->items));
  return true;
}

template <typename Object>
void ObjectWatch<Object>::WaitToRetry() {
  const auto deadline = Clock::now() + Delay();
  while (true) {
    const bool answered = AskKubelet();
    sink_.on_state(answered);
    const auto now = Clock::now();
    if (now >= deadline) return;
    const auto pause = kubelet_ == nullptr ? deadline : now + options_.kubelet_pause;
    if (!WaitUntil(std::min(deadline, pause), now + options_.kubelet_min_pause)) return;
    if (Clock::now() >= deadline) return;
  }
}

// Sooner if something is asked for, but not before `not_before`. False: stop.
template <typename Object>
bool ObjectWatch<Object>::WaitUntil(Clock::time_point deadline, Clock::time_point not_before) {
  std::unique_lock lock(mutex_);
  hurry_ = false;
  wake_.wait_until(lock, deadline, [this] { return stop_ || hurry_; });
  wake_.wait_until(lock, std::min(deadline, not_before), [this] { return stop_; });
  return !stop_;
}

// Exponential, with a random half so that the nodes of a cluster do not come back at one moment.
template <typename Object>
std::chrono::milliseconds ObjectWatch<Object>::Delay() {
  constexpr unsigned kMaxDoublings = 20;
  const int64_t doubled = options_.first_wait.count() << std::min(failures_ - 1, kMaxDoublings);
  const int64_t full = std::min<int64_t>(doubled, options_.max_wait.count());
  return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(full / 2, full)(random_));
}

// Once for each thing that goes wrong, and once when it is well again.
template <typename Object>
void ObjectWatch<Object>::Report(const Status& status) {
  if (status.ok()) {
    if (!reported_.empty())
      spdlog::info("Kubernetes API: {} are followed again", kResource<Object>);
    reported_.clear();
    return;
  }
  const std::string text =
      Explain(status, kResource<Object>, list_reason_ == nullptr ? "watch" : "list");
  if (text == reported_) return;
  reported_ = text;
  spdlog::warn("Kubernetes API: {}{}", text,
               kubelet_ == nullptr ? "" : "; the kubelet is asked until then");
}

template <typename Object>
void ObjectWatch<Object>::CountRestart(const char* reason) {
  metrics_
      .AddCounter("sonde_kubernetes_watch_restarts_total", "Watches that ended, by reason",
                  {{"resource", kResource<Object>}, {"reason", reason}})
      .Add();
}

template class ObjectWatch<Pod>;
template class ObjectWatch<Service>;

}  // namespace sonde::kubernetes
