// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/object_json.h"

#include <absl/container/flat_hash_set.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/json.h"
#include "container/text.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {
namespace {

using container::CleanText;
using container::Json;
using container::kMaxNameBytes;
using container::LabelsOf;
using container::Member;
using container::Text;

constexpr size_t kMaxOwners = 8;
constexpr size_t kMaxContainers = 128;
constexpr size_t kMaxAddresses = 8;
constexpr size_t kMaxTokenBytes = 4096;

// The bulk of a pod is of no use here; leaving it out while parsing keeps the tree small. A label
// may have any name, so what counts is where a key stands.
class Sieve {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    if (event != Json::parse_event_t::key) return true;
    // Keys of the objects that are open; "" for an array. Depth 1 is the outermost object.
    path_.resize(static_cast<size_t>(depth));
    path_.back() = value.get_ref<const std::string&>();
    const std::string& key = path_.back();
    const std::string_view parent = depth < 2 ? "" : std::string_view(path_[path_.size() - 2]);
    if (parent == "metadata") return key != "managedFields";
    if (parent == "spec") {
      return key == "nodeName" || key == "hostNetwork" || key == "clusterIPs" ||
             key.ends_with("ontainers");
    }
    // Of a container (an element of a list, which has no key of its own).
    const size_t depth_of_list = path_.size() < 4 ? 0 : path_.size() - 3;
    if (depth_of_list != 0 && path_[depth_of_list - 1] == "spec" && parent.empty()) {
      return key == "name" || key == "image" || key == "env";
    }
    if (parent == "status") return key == "phase" || key == "podIPs" || key.ends_with("Statuses");
    return true;
  }

 private:
  std::vector<std::string> path_;
};

Json Parse(std::string_view text) {
  Sieve sieve;
  return Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& value) { return sieve(depth, event, value); },
      false);
}

std::string Name(const Json& object, const char* name, size_t* cut) {
  return CleanText(Text(Member(object, name)), kMaxNameBytes, cut);
}

std::vector<PodOwner> OwnersOf(const Json& metadata, size_t* cut) {
  std::vector<PodOwner> owners;
  const Json& list = Member(metadata, "ownerReferences");
  if (!list.is_array()) return owners;
  for (const Json& item : list) {
    PodOwner owner{.kind = Name(item, "kind", cut),
                   .name = Name(item, "name", cut),
                   .uid = Name(item, "uid", cut)};
    if (owner.kind.empty() || owner.name.empty()) continue;
    if (owners.size() == kMaxOwners) {
      ++*cut;
      break;
    }
    const Json& controller = Member(item, "controller");
    const bool first = controller.is_boolean() && controller.get<bool>();
    owners.insert(first ? owners.begin() : owners.end(), std::move(owner));
  }
  return owners;
}

int64_t UnixTime(std::string_view rfc3339) {
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, {rfc3339.data(), rfc3339.size()}, &time, nullptr)) {
    return 0;
  }
  return absl::ToUnixSeconds(time);
}

uint32_t Restarts(const Json& value) {
  if (!value.is_number_unsigned()) return 0;
  return static_cast<uint32_t>(
      std::min<uint64_t>(value.get<uint64_t>(), std::numeric_limits<uint32_t>::max()));
}

void AddContainers(const Json& statuses, std::vector<PodContainer>& containers, size_t* cut) {
  if (!statuses.is_array()) return;
  for (const Json& status : statuses) {
    if (containers.size() == kMaxContainers) {
      ++*cut;
      return;
    }
    PodContainer container;
    container.name = Name(status, "name", cut);
    std::string_view id = Text(Member(status, "containerID"));
    if (const size_t scheme = id.find("://"); scheme != std::string_view::npos) {
      id.remove_prefix(scheme + 3);
    }
    container.id = CleanText(id, kMaxNameBytes, cut);
    container.restart_count = Restarts(Member(status, "restartCount"));
    if (!container.name.empty()) containers.push_back(std::move(container));
  }
}

// As the kubelet makes them: the last of a name counts. What refers to others is not known here.
Variables VariablesOf(const Json& list) {
  Variables variables;
  if (!list.is_array()) return variables;
  absl::flat_hash_set<std::string_view> names;  // there may be as many as the text has room for
  for (size_t i = list.size(); i > 0; --i) {
    const Json& item = list[i - 1];
    const std::string_view name = Text(Member(item, "name"));
    const std::string_view value = Text(Member(item, "value"));
    const bool refers =
        Member(item, "valueFrom").is_object() || value.find("$(") != std::string_view::npos;
    if (!names.insert(name).second || name.empty() || refers) continue;
    variables.emplace_back(name, value);
  }
  std::ranges::reverse(variables);
  return variables;
}

void AddSpecification(const Json& spec, std::vector<PodContainer>& containers, size_t* cut) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    const Json& items = Member(spec, list);
    if (!items.is_array()) continue;
    for (const Json& item : items) {
      const auto own =
          std::ranges::find(containers, Text(Member(item, "name")), &PodContainer::name);
      if (own == containers.end()) continue;
      container::ImageName image = container::SplitImageName(Name(item, "image", cut));
      own->image_name = std::move(image.name);
      own->image_tag = std::move(image.tag);
      own->image_digest = std::move(image.digest);
      own->env = VariablesOf(Member(item, "env"));
    }
  }
}

// A pod in the node's network has the node's address, and one that has ended none any more.
void AddAddresses(const Json& object, Pod& pod, size_t* cut) {
  const Json& shared = Member(Member(object, "spec"), "hostNetwork");
  const Json& status = Member(object, "status");
  const std::string_view phase = Text(Member(status, "phase"));
  const Json& list = Member(status, "podIPs");
  if (shared.is_boolean() && shared.get<bool>()) return;
  if (phase == "Succeeded" || phase == "Failed" || !list.is_array()) return;
  for (const Json& item : list) {
    std::string address = Name(item, "ip", cut);
    if (!address.empty() && pod.addresses.size() < kMaxAddresses) {
      pod.addresses.push_back(std::move(address));
    }
  }
}

// Name, uid and namespace, which all objects have that are followed. False: it has none.
template <typename Object>
bool Identify(const Json& metadata, Object& object, size_t* cut) {
  object.uid = Name(metadata, "uid", cut);
  object.name = Name(metadata, "name", cut);
  object.namespace_name = Name(metadata, "namespace", cut);
  return !object.uid.empty() && !object.name.empty();
}

bool Fill(const Json& object, Service& service, size_t* cut) {
  if (!Identify(Member(object, "metadata"), service, cut)) return false;
  const Json& list = Member(Member(object, "spec"), "clusterIPs");
  if (!list.is_array()) return true;
  for (const Json& item : list) {
    std::string address = CleanText(Text(item), kMaxNameBytes, cut);
    if (address.empty() || address == "None" || service.addresses.size() >= kMaxAddresses) continue;
    service.addresses.push_back(std::move(address));
  }
  return true;
}

bool Fill(const Json& object, Pod& pod, size_t* cut) {
  const Json& metadata = Member(object, "metadata");
  if (!Identify(metadata, pod, cut)) return false;
  pod.node = Name(Member(object, "spec"), "nodeName", cut);
  pod.created_s = UnixTime(Text(Member(metadata, "creationTimestamp")));
  pod.owners = OwnersOf(metadata, cut);
  pod.labels = LabelsOf(Member(metadata, "labels"), cut);
  pod.annotations = LabelsOf(Member(metadata, "annotations"), cut);
  pod.config_hash = Name(Member(metadata, "annotations"), "kubernetes.io/config.hash", cut);
  const Json& status = Member(object, "status");
  for (const char* list :
       {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"}) {
    AddContainers(Member(status, list), pod.containers, cut);
  }
  AddSpecification(Member(object, "spec"), pod.containers, cut);
  AddAddresses(object, pod, cut);
  return true;
}

}  // namespace

template <typename Object>
std::optional<ObjectPage<Object>> ParseList(std::string_view json, size_t* cut) {
  const Json root = Parse(json);
  const Json& items = Member(root, "items");
  // An empty list may say null.
  if (!Member(root, "metadata").is_object() || (!items.is_array() && !items.is_null())) {
    return std::nullopt;
  }
  ObjectPage<Object> page;
  page.resource_version = Name(Member(root, "metadata"), "resourceVersion", cut);
  page.next = CleanText(Text(Member(Member(root, "metadata"), "continue")), kMaxTokenBytes, cut);
  for (const Json& item : items) {
    Object object;
    if (Fill(item, object, cut)) {
      page.items.push_back(std::move(object));
    } else {
      ++page.malformed;
    }
  }
  return page;
}

template <typename Object>
std::optional<WatchEvent<Object>> ParseWatchEvent(std::string_view line, size_t* cut) {
  const Json root = Parse(line);
  const Json& object = Member(root, "object");
  const std::string_view type = Text(Member(root, "type"));
  WatchEvent<Object> event;
  event.resource_version = Name(Member(object, "metadata"), "resourceVersion", cut);
  if (type == "BOOKMARK") {
    event.type = ChangeType::kBookmark;
    return event;
  }
  if (type == "ERROR") {
    const Json& code = Member(object, "code");
    constexpr int64_t kMaxCode = 999;
    if (code.is_number_integer()) {
      event.code = static_cast<int>(std::clamp<int64_t>(code.get<int64_t>(), 0, kMaxCode));
    }
    event.message = Name(object, "message", cut);
    return event;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") return std::nullopt;
  event.type = type == "DELETED" ? ChangeType::kDeleted : ChangeType::kPut;
  if (!Fill(object, event.object, cut)) return std::nullopt;
  return event;
}

template std::optional<ObjectPage<Pod>> ParseList(std::string_view json, size_t* cut);
template std::optional<ObjectPage<Service>> ParseList(std::string_view json, size_t* cut);
template std::optional<WatchEvent<Pod>> ParseWatchEvent(std::string_view line, size_t* cut);
template std::optional<WatchEvent<Service>> ParseWatchEvent(std::string_view line, size_t* cut);

std::optional<ObjectMeta> ParseObject(std::string_view json, size_t* cut) {
  const Json root = Parse(json);
  const Json& metadata = Member(root, "metadata");
  if (!metadata.is_object()) return std::nullopt;
  return ObjectMeta{.uid = Name(metadata, "uid", cut),
                    .owners = OwnersOf(metadata, cut),
                    .labels = LabelsOf(Member(metadata, "labels"), cut),
                    .annotations = LabelsOf(Member(metadata, "annotations"), cut)};
}

}  // namespace sonde::kubernetes
