// SPDX-License-Identifier: Apache-2.0
// Pods, services and other objects as the Kubernetes API and the kubelet write them in JSON. Any
// text is fine: what has another shape is left out, names and labels are cleaned and bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

struct PodContainer {
  std::string id;  // without "containerd://"; empty: not started yet
  std::string name;
  std::string image_name;  // of the specification: "registry/shop"
  std::string image_tag;
  std::string image_digest;  // "sha256:...", if the specification gives it
  Variables env;             // that the specification gives values to, all names
  uint32_t restart_count = 0;

  friend bool operator==(const PodContainer&, const PodContainer&) = default;
};

struct Pod {
  std::string name;
  std::string uid;
  // A static pod's control groups carry the hash of its file instead of the uid that the API gives.
  std::string config_hash;
  std::string namespace_name;
  std::string node;
  int64_t created_s = 0;         // Unix time; 0: not told
  std::vector<PodOwner> owners;  // the controller first
  Labels labels;
  Labels annotations;
  std::vector<PodContainer> containers;  // init and ephemeral ones too
  std::vector<std::string> addresses;    // its own while it runs; none in the node's network

  friend bool operator==(const Pod&, const Pod&) = default;
};

struct Service {
  std::string name;
  std::string uid;
  std::string namespace_name;
  std::vector<std::string> addresses;  // that the cluster gave it; none of a headless one
};

// A list's page.
template <typename Object>
struct ObjectPage {
  std::vector<Object> items;
  std::string resource_version;
  std::string next;      // token of the next page; empty: the last
  size_t malformed = 0;  // items that are no such objects
};

enum class ChangeType : uint8_t { kPut, kDeleted, kBookmark, kError };

template <typename Object>
struct WatchEvent {
  ChangeType type = ChangeType::kError;
  Object object;  // of kPut and kDeleted
  std::string resource_version;
  int code = 0;         // of kError: as HTTP, 410 = the resource version is too old
  std::string message;  // of kError
};

// What is looked up about an owner or a namespace.
struct ObjectMeta {
  std::string uid;
  std::vector<PodOwner> owners;
  Labels labels;
  Labels annotations;
};

// `Object` is Pod or Service. `cut` counts labels and names that were cut or left out. Empty: not
// of this shape.
template <typename Object>
std::optional<ObjectPage<Object>> ParseList(std::string_view json, size_t* cut);
template <typename Object>
std::optional<WatchEvent<Object>> ParseWatchEvent(std::string_view line, size_t* cut);
std::optional<ObjectMeta> ParseObject(std::string_view json, size_t* cut);

}  // namespace sonde::kubernetes
