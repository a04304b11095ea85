// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/pod_watch.h"

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
#include "kubernetes/pod_json.h"
#include "kubernetes/remedy.h"
#include "kubernetes/requests.h"
#include "sonde/base/metrics.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {
namespace {

// A watch that ends sooner than this is as good as a failure: no tight loop.
constexpr std::chrono::seconds kShortWatch{1};
constexpr size_t kMaxPages = 1000;

}  // namespace

PodWatch::PodWatch(const Access& api, const std::optional<Access>& kubelet, WatchOptions options,
                   WatchSink sink, MetricRegistry& metrics)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      metrics_(metrics),
      malformed_(Dropped(metrics, "malformed")),
      cut_(Dropped(metrics, "label_cut")),
      line_too_long_(Dropped(metrics, "line_too_long")),
      api_(api),
      kubelet_(kubelet ? std::make_unique<ApiClient>(*kubelet) : nullptr),
      random_(std::random_device{}()) {}

void PodWatch::Cancel() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  api_.Cancel();
  if (kubelet_ != nullptr) kubelet_->Cancel();
  wake_.notify_all();
}

void PodWatch::Hurry() {
  {
    const std::scoped_lock lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_all();
}

void PodWatch::Run() {
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

Status PodWatch::Round() {
  if (Clock::now() - listed_at_ > options_.resync && list_reason_ == nullptr) {
    list_reason_ = "resync";
  }
  if (list_reason_ != nullptr) {
    if (Status status = List(); !status.ok()) return status;
  }
  return Watch();
}

Status PodWatch::List() {
  metrics_
      .AddCounter("sonde_kubernetes_relists_total", "Lists of all pods of the node, by reason",
                  {{"reason", list_reason_}})
      .Add();
  std::vector<Pod> pods;
  Status status = ListPages(pods);
  if (absl::IsOutOfRange(status)) {  // the next page is of a list that is too old by now
    pods.clear();
    status = ListPages(pods);
  }
  if (!status.ok()) return status;
  list_reason_ = nullptr;
  expired_ = false;
  listed_at_ = Clock::now();
  sink_.on_list(std::move(pods));
  sink_.on_state(true);
  Report(absl::OkStatus());
  return absl::OkStatus();
}

Status PodWatch::ListPages(std::vector<Pod>& pods) {
  std::string next;
  for (size_t page_number = 0; page_number < kMaxPages; ++page_number) {
    // Version 0 is answered from the server's memory, which spares its database when a thousand
    // nodes start at once.
    const std::string path =
        absl::StrCat("/api/v1/pods?fieldSelector=spec.nodeName%3D", EscapeQuery(options_.node),
                     "&limit=", options_.page_size,
                     next.empty() ? (expired_ ? "" : "&resourceVersion=0") : "&continue=", next);
    const auto text = api_.Get(path, options_.request_timeout);
    size_t cut = 0;
    auto page = text.ok() ? ParsePodList(*text, &cut) : std::nullopt;
    if (!page) {
      Status status =
          text.ok() ? absl::InternalError("the list of pods is no list") : text.status();
      CountRequest(metrics_, "list", "pods", status);
      return status;
    }
    CountRequest(metrics_, "list", "pods", absl::OkStatus());
    cut_.Add(cut);
    malformed_.Add(page->malformed);
    resource_version_ = page->resource_version;
    std::ranges::move(page->pods, std::back_inserter(pods));
    next = EscapeQuery(page->next);
    if (next.empty()) return absl::OkStatus();
    if (pods.size() >= options_.max_pods) break;
  }
  Dropped(metrics_, "list_too_long").Add();
  return absl::OkStatus();
}

Status PodWatch::Watch() {
  constexpr std::chrono::seconds kGrace{10};
  const auto keep = options_.watch + std::chrono::seconds(std::uniform_int_distribution<int64_t>(
                                         0, options_.watch.count() / 4)(random_));
  const std::string path = absl::StrCat(
      "/api/v1/pods?watch=true&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D",
      EscapeQuery(options_.node), "&resourceVersion=", EscapeQuery(resource_version_),
      "&timeoutSeconds=", keep.count());
  watch_error_ = absl::OkStatus();
  size_t left_out = 0;
  const auto begun = Clock::now();
  Status status = api_.Follow(
      path, keep + kGrace, [this](std::string_view line) { return OnLine(line); }, &left_out);
  line_too_long_.Add(left_out);
  if (status.ok() && !watch_error_.ok()) status = watch_error_;
  CountRequest(metrics_, "watch", "pods", status);
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
bool PodWatch::OnLine(std::string_view line) {
  constexpr int kGone = 410;
  size_t cut = 0;
  auto event = ParseWatchEvent(line, &cut);
  cut_.Add(cut);
  if (!event) {
    malformed_.Add();
    return true;
  }
  if (event->type == WatchEvent::Type::kError) {
    watch_error_ = event->code == kGone ? absl::OutOfRangeError(event->message)
                                        : absl::UnavailableError(event->message);
    return false;
  }
  failures_ = 0;
  if (!event->resource_version.empty()) resource_version_ = event->resource_version;
  if (event->type == WatchEvent::Type::kPut) sink_.on_put(std::move(event->pod));
  if (event->type == WatchEvent::Type::kDeleted) sink_.on_deleted(event->pod.uid);
  return true;
}

bool PodWatch::AskKubelet() {
  if (kubelet_ == nullptr) return false;
  const auto text = kubelet_->Get("/pods", options_.request_timeout);
  size_t cut = 0;
  auto page = text.ok() ? ParsePodList(*text, &cut) : std::nullopt;
  CountRequest(metrics_, "list", "kubelet_pods",
               text.ok() && !page ? absl::InternalError("no list") : text.status());
  if (!page) return false;
  cut_.Add(cut);
  malformed_.Add(page->malformed);
  sink_.on_list(std::move(page->pods));
  return true;
}

void PodWatch::WaitToRetry() {
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
bool PodWatch::WaitUntil(Clock::time_point deadline, Clock::time_point not_before) {
  std::unique_lock lock(mutex_);
  hurry_ = false;
  wake_.wait_until(lock, deadline, [this] { return stop_ || hurry_; });
  wake_.wait_until(lock, std::min(deadline, not_before), [this] { return stop_; });
  return !stop_;
}

// Exponential, with a random half so that the nodes of a cluster do not come back at one moment.
std::chrono::milliseconds PodWatch::Delay() {
  constexpr unsigned kMaxDoublings = 20;
  const int64_t doubled = options_.first_wait.count() << std::min(failures_ - 1, kMaxDoublings);
  const int64_t full = std::min<int64_t>(doubled, options_.max_wait.count());
  return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(full / 2, full)(random_));
}

// Once for each thing that goes wrong, and once when it is well again.
void PodWatch::Report(const Status& status) {
  if (status.ok()) {
    if (!reported_.empty()) spdlog::info("Kubernetes API: pods are followed again");
    reported_.clear();
    return;
  }
  const std::string text = Explain(status, "pods", list_reason_ == nullptr ? "watch" : "list");
  if (text == reported_) return;
  reported_ = text;
  spdlog::warn("Kubernetes API: {}{}", text,
               kubelet_ == nullptr ? "" : "; the kubelet is asked until then");
}

void PodWatch::CountRestart(const char* reason) {
  metrics_
      .AddCounter("sonde_kubernetes_watch_restarts_total", "Watches of pods that ended, by reason",
                  {{"reason", reason}})
      .Add();
}

}  // namespace sonde::kubernetes
