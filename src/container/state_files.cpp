// SPDX-License-Identifier: Apache-2.0
#include "container/state_files.h"

#include <absl/status/status.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/docker_json.h"
#include "container/facts.h"
#include "container/json.h"
#include "container/text.h"
#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxFileBytes = 8U << 20;
constexpr size_t kMaxNamespaces = 64;  // of containerd; each has the containers of one client

constexpr const char* kDocker = "/var/lib/docker/containers";
constexpr const char* kContainerd = "/run/containerd/io.containerd.runtime.v2.task";
// Of containers/storage: files of running containers, the list of all.
constexpr const char* kStorageRun = "/run/containers/storage/overlay-containers";
constexpr const char* kStorage = "/var/lib/containers/storage/overlay-containers";

bool IsId(std::string_view id) {
  return id.size() == 64 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// Of a regular file; a fifo or a device that somebody put there is not waited for.
std::optional<std::string> ReadAll(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  struct stat status{};
  std::optional<std::string> text;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
      static_cast<size_t>(status.st_size) <= kMaxFileBytes) {
    text.emplace(static_cast<size_t>(status.st_size), '\0');
    size_t filled = 0;
    ssize_t size = 1;
    while (size > 0 && filled < text->size()) {
      size = read(fd, text->data() + filled, text->size() - filled);
      filled += size > 0 ? static_cast<size_t>(size) : 0;
    }
    text->resize(filled);
  }
  close(fd);
  return text;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::vector<std::string> Directories(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get())) {  // one thread uses this stream
    if (entry->d_name[0] != '.' && names.size() < kMaxNamespaces) names.emplace_back(entry->d_name);
  }
  return names;
}

std::optional<ContainerFacts> ParseDockerFile(const std::string& id, std::string_view json,
                                              size_t* cut) {
  auto facts = ParseDockerContainer(json, cut);
  if (!facts || facts->id != id) return std::nullopt;
  facts->runtime = "docker";
  return facts;
}

}  // namespace

std::optional<ContainerFacts> ParseContainerdSpec(const std::string& id, std::string_view json,
                                                  size_t* cut) {
  const Json root = ParseJson(json);
  if (!root.is_object()) return std::nullopt;
  const Json& annotations = Member(root, "annotations");
  ContainerFacts facts;
  facts.id = id;
  facts.runtime = "containerd";
  std::string_view name = Text(Member(annotations, "io.kubernetes.cri.container-name"));
  if (name.empty()) name = Text(Member(annotations, "nerdctl/name"));
  facts.name = CleanText(name, kMaxNameBytes, cut);
  AddImageName(Text(Member(annotations, "io.kubernetes.cri.image-name")), facts);
  facts.env = SpecVariables(root);
  return facts;
}

std::optional<ContainerFacts> ParseCrioSpec(const std::string& id, std::string_view json,
                                            size_t* cut) {
  const Json root = ParseJson(json);
  const Json& annotations = Member(root, "annotations");
  if (Text(Member(annotations, "io.container.manager")) != "cri-o") return std::nullopt;
  ContainerFacts facts;
  facts.id = id;
  facts.runtime = "cri-o";
  facts.name =
      CleanText(Text(Member(annotations, "io.kubernetes.container.name")), kMaxNameBytes, cut);
  facts.image_id =
      CleanText(Text(Member(annotations, "io.kubernetes.cri-o.ImageRef")), kMaxNameBytes);
  AddImageName(Text(Member(annotations, "io.kubernetes.cri-o.ImageName")), facts);
  facts.labels = LabelsOf(ParseJson(Text(Member(annotations, "io.kubernetes.cri-o.Labels"))), cut);
  facts.env = SpecVariables(root);
  return facts;
}

std::optional<ContainerFacts> ParseStorageList(const std::string& id, std::string_view json,
                                               size_t* cut) {
  const Json list = ParseJson(json);
  if (!list.is_array()) return std::nullopt;
  const auto entry =
      std::ranges::find_if(list, [&id](const Json& one) { return Text(Member(one, "id")) == id; });
  if (entry == list.end()) return std::nullopt;
  const Json metadata = ParseJson(Text(Member(*entry, "metadata")));
  ContainerFacts facts;
  facts.id = id;
  facts.runtime = "podman";
  facts.image_id = CleanText(Text(Member(*entry, "image")), kMaxNameBytes);
  facts.name = CleanText(Text(Member(metadata, "name")), kMaxNameBytes, cut);
  const Json& names = Member(*entry, "names");
  if (facts.name.empty() && names.is_array() && !names.empty()) {
    facts.name = CleanText(Text(names[0]), kMaxNameBytes, cut);
  }
  AddImageName(Text(Member(metadata, "image-name")), facts);
  return facts;
}

std::optional<StateFiles::File> StateFiles::FileOf(const std::string& id) const {
  if (!IsId(id)) return std::nullopt;
  if (std::string path = root_ + kDocker + "/" + id + "/config.v2.json"; Exists(path)) {
    return File{.path = std::move(path), .parse = ParseDockerFile};
  }
  const std::string tasks = root_ + kContainerd;
  for (const std::string& space : Directories(tasks)) {
    std::string path = tasks;
    path.append("/").append(space).append("/").append(id).append("/config.json");
    if (Exists(path)) return File{.path = std::move(path), .parse = ParseContainerdSpec};
  }
  // CRI-O says more in the container's own file; podman's has nothing that the list has not but the
  // environment.
  std::string spec = root_ + kStorageRun + "/" + id + "/userdata/config.json";
  if (const auto text = ReadAll(spec); text && ParseCrioSpec(id, *text, nullptr)) {
    return File{.path = std::move(spec), .parse = ParseCrioSpec};
  }
  if (std::string path = root_ + kStorage + "/containers.json"; Exists(path)) {
    return File{.path = std::move(path), .parse = ParseStorageList, .spec = std::move(spec)};
  }
  return std::nullopt;
}

Result<ContainerFacts> StateFiles::Find(const std::string& id, size_t* cut) {
  const auto file = FileOf(id);
  if (!file) return absl::NotFoundError("no runtime has a file about it");
  const auto text = ReadAll(file->path);
  if (!text) return absl::UnavailableError(file->path + " cannot be read");
  auto facts = file->parse(id, *text, cut);
  if (!facts) return absl::NotFoundError("not in " + file->path);
  if (!file->spec.empty()) {
    facts->env = SpecVariables(ParseJson(ReadAll(file->spec).value_or("")));
  }
  return *std::move(facts);
}

int64_t StateFiles::Stamp(const std::string& id) {
  const auto file = FileOf(id);
  struct stat status{};
  if (!file || stat(file->path.c_str(), &status) != 0) return 0;
  // Runtimes replace their files, or write them in place.
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  return status.st_mtim.tv_sec * kNsPerSecond + status.st_mtim.tv_nsec +
         static_cast<int64_t>(status.st_ino);
}

std::vector<StateFiles::Place> StateFiles::Places() const {
  struct Known {
    const char* runtime;
    const char* path;
  };
  constexpr std::array kKnown = {Known{.runtime = "docker", .path = kDocker},
                                 Known{.runtime = "containerd", .path = kContainerd},
                                 Known{.runtime = "cri-o", .path = kStorageRun},
                                 Known{.runtime = "podman", .path = kStorage}};
  std::vector<Place> places;
  for (const Known& known : kKnown) {
    const std::string path = root_ + known.path;
    if (!Exists(path)) continue;
    places.push_back({.runtime = known.runtime,
                      .path = path,
                      .readable = access(path.c_str(), R_OK | X_OK) == 0});
  }
  return places;
}

}  // namespace sonde::container
