// SPDX-License-Identifier: Apache-2.0
#include "container/containerd.h"

#include <absl/status/status.h>
#include <containerd.pb.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "container/facts.h"
#include "container/json.h"
#include "container/provider.h"
#include "container/text.h"
#include "container/wire.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxNamespaces = 64;
constexpr const char* kListNamespaces = "/containerd.services.namespaces.v1.Namespaces/List";
constexpr const char* kGetContainer = "/containerd.services.containers.v1.Containers/Get";
constexpr const char* kListContainers = "/containerd.services.containers.v1.Containers/List";
constexpr const char* kGetImage = "/containerd.services.images.v1.Images/Get";
constexpr const char* kSubscribe = "/containerd.services.events.v1.Events/Subscribe";

std::string NameOf(const wire::Container& container) {
  for (const char* key : {"nerdctl/name", "io.kubernetes.container.name"}) {
    const auto label = container.labels().find(key);
    if (label != container.labels().end()) return label->second;
  }
  constexpr size_t kIdDigits = 64;
  return container.id().size() == kIdDigits ? std::string() : container.id();
}

}  // namespace

Result<ContainerFacts> ParseContainerdContainer(std::string_view answer,
                                                std::string_view name_space, std::string* image,
                                                size_t* cut) {
  wire::OneContainer one;
  if (!Parse(answer, one) || one.container().id().empty()) {
    return absl::DataLossError("no description of a container");
  }
  const wire::Container& container = one.container();
  ContainerFacts facts;
  facts.id = container.id();
  facts.runtime = name_space == "moby" ? "docker" : "containerd";
  facts.name = CleanText(NameOf(container), kMaxNameBytes, cut);
  for (const auto& [key, value] : container.labels()) AddLabel(key, value, facts.labels, cut);
  AddImageName(CleanText(container.image(), kMaxNameBytes, cut), facts);
  facts.env = SpecVariables(ParseJson(container.spec().value()));
  *image = container.image();
  return facts;
}

std::string ParseContainerdEvent(std::string_view envelope) {
  wire::Envelope event;
  wire::ContainerEvent container;
  if (!Parse(envelope, event) || !Parse(event.event().value(), container)) return {};
  return container.id();
}

Containerd::Containerd(std::string socket, Options options)
    : socket_(std::move(socket)), options_(options), lookups_(socket_), events_(socket_) {}

Containerd::~Containerd() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  events_.Cancel();
  if (thread_.joinable()) thread_.join();
}

bool Containerd::Exists() const { return access(socket_.c_str(), F_OK) == 0; }

Result<std::string> Containerd::Call(const char* method, const std::string& request,
                                     const std::string& name_space) {
  if (!Exists()) return absl::UnavailableError("no socket");
  GrpcClient::Headers headers;
  if (!name_space.empty()) headers.emplace_back("containerd-namespace", name_space);
  return lookups_.Call(method, request, headers, options_.answer_timeout);
}

Result<std::vector<std::string>> Containerd::Namespaces() {
  const auto answer = Call(kListNamespaces, "", "");
  if (!answer.ok()) return answer.status();
  wire::Namespaces list;
  if (!Parse(*answer, list)) return absl::DataLossError("no list of namespaces");
  std::vector<std::string> names;
  for (const auto& one : list.namespaces()) {
    if (names.size() < kMaxNamespaces) names.push_back(one.name());
  }
  return names;
}

Status Containerd::Ping() { return Namespaces().status(); }

Result<ContainerFacts> Containerd::Find(const std::string& id, size_t* cut) {
  const auto names = Namespaces();
  if (!names.ok()) return names.status();
  wire::Key key;
  key.set_key(id);
  for (const std::string& name_space : *names) {
    const auto answer = Call(kGetContainer, key.SerializeAsString(), name_space);
    if (absl::IsNotFound(answer.status())) continue;
    if (!answer.ok()) return answer.status();
    std::string image;
    auto facts = ParseContainerdContainer(*answer, name_space, &image, cut);
    if (!facts.ok() || facts->id != id) return absl::DataLossError("no description of it");
    AddDigest(image, name_space, *facts);
    return facts;
  }
  return absl::NotFoundError("in no namespace");
}

// What the name stands for now. The image may be gone, or the container have none: then it has no
// digest.
void Containerd::AddDigest(const std::string& image, const std::string& name_space,
                           ContainerFacts& facts) {
  if (image.empty()) return;
  wire::Key key;
  key.set_key(image);
  const auto answer = Call(kGetImage, key.SerializeAsString(), name_space);
  wire::OneImage one;
  if (!answer.ok() || !Parse(*answer, one) || one.image().target().digest().empty()) return;
  AddUnique(facts.image_name + "@" + CleanText(one.image().target().digest(), kMaxNameBytes),
            facts.image_digests);
}

std::vector<std::string> Containerd::Running() {
  std::vector<std::string> ids;
  const auto names = Namespaces();
  if (!names.ok()) return ids;
  for (const std::string& name_space : *names) {
    const auto answer = Call(kListContainers, "", name_space);
    wire::Containers list;
    if (!answer.ok() || !Parse(*answer, list)) continue;
    for (const auto& container : list.containers()) ids.push_back(container.id());
  }
  return ids;
}

void Containerd::Watch(const OnChange& on_change) {
  on_change_ = on_change;
  thread_ = std::thread([this] { Follow(); });
}

void Containerd::Follow() {
  wire::Filters filters;
  for (const char* topic : {"/containers/create", "/containers/update", "/tasks/start"}) {
    filters.add_filters(std::string("topic==\"") + topic + "\"");
  }
  const auto tell = [this](std::string_view message) {
    std::string id = ParseContainerdEvent(message);
    if (!id.empty()) on_change_(std::move(id));
  };
  // What happened before the stream began is seen in the list.
  const auto open = [this] { on_change_(""); };
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    if (Exists()) {
      const Status status = events_.Follow(kSubscribe, filters.SerializeAsString(), open, tell);
      spdlog::debug("containerd: {}: {}", socket_, status.ToString());
    }
    lock.lock();
    stopping_.wait_for(lock, options_.reconnect, [this] { return stop_; });
  }
}

void Containerd::Cancel() { lookups_.Cancel(); }

}  // namespace sonde::container
