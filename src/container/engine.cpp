// SPDX-License-Identifier: Apache-2.0
#include "container/engine.h"

#include <absl/status/status.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "container/docker_json.h"
#include "container/endpoints.h"
#include "container/provider.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxImages = 256;
// Facts are there before the container's first process when they are asked for at `create`.
constexpr std::array<std::string_view, 7> kTelling = {"create", "init",    "start", "rename",
                                                      "update", "unpause", "die"};
// {"type":["container"]}, percent-encoded: the stream also has images, networks, volumes.
constexpr const char* kEventsPath = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D";

// An id goes into a path.
bool IsPlain(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
           c == '_' || c == '-';
  });
}

}  // namespace

Engine::Engine(const Endpoint& endpoint, Options options)
    : endpoint_(endpoint), options_(options), lookups_(endpoint), events_(endpoint) {}

Engine::~Engine() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  events_.Cancel();
  if (thread_.joinable()) thread_.join();
}

bool Engine::Exists() const {
  return endpoint_.socket.empty() || access(endpoint_.socket.c_str(), F_OK) == 0;
}

Result<std::string> Engine::Get(const std::string& path) {
  if (!Exists()) return absl::UnavailableError("no socket");
  if (Clock::now() < resting_until_) return absl::UnavailableError("was too slow just now");
  auto body = lookups_.Get(path, options_.answer_timeout);
  if (absl::IsUnavailable(body.status())) resting_until_ = Clock::now() + options_.rest;
  return body;
}

// Images do not change under their id, but their tags do: what is kept is asked again with the next
// container after the list is full.
std::string Engine::ImageOf(const std::string& image_id) {
  if (const auto known = images_.find(image_id); known != images_.end()) return known->second;
  auto body = Get("/images/" + image_id + "/json");
  if (!body.ok()) return {};
  if (images_.size() >= kMaxImages) images_.clear();
  return images_[image_id] = *std::move(body);
}

Result<ContainerFacts> Engine::Find(const std::string& id, size_t* cut) {
  if (!IsPlain(id)) return absl::NotFoundError("no engine's id");
  const auto body = Get("/containers/" + id + "/json");
  if (!body.ok()) return body.status();
  auto facts = ParseDockerContainer(*body, cut);
  if (!facts || facts->id != id) return absl::DataLossError("no description of this container");
  facts->runtime = endpoint_.engine;
  if (IsPlain(facts->image_id)) AddDockerImage(ImageOf(facts->image_id), *facts);
  return *std::move(facts);
}

std::vector<std::string> Engine::Running() {
  const auto body = Get("/containers/json");
  return body.ok() ? ParseDockerList(*body) : std::vector<std::string>();
}

void Engine::Watch(OnChange on_change) {
  on_change_ = std::move(on_change);
  thread_ = std::thread([this] { Follow(); });
}

void Engine::Follow() {
  const auto tell = [this](std::string_view line) {
    auto event = ParseDockerEvent(line);
    if (!event || std::ranges::find(kTelling, event->action) == kTelling.end()) return;
    on_change_(std::move(event->id));
  };
  // What happened before the stream began is seen in the list.
  const auto open = [this] {
    spdlog::debug("{}: follows {}", endpoint_.engine, endpoint_.address());
    on_change_("");
  };
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    if (Exists()) {
      const Status status = events_.Follow(kEventsPath, open, tell);
      spdlog::debug("{}: {}: {}", endpoint_.engine, endpoint_.address(), status.ToString());
    }
    lock.lock();
    stopping_.wait_for(lock, options_.reconnect, [this] { return stop_; });
  }
}

void Engine::Cancel() { lookups_.Cancel(); }

}  // namespace sonde::container
