// SPDX-License-Identifier: Apache-2.0
#include "container/docker_json.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/facts.h"
#include "container/json.h"
#include "container/text.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxListed = 8192;

// One of each network; a container that uses the host's has none.
void AddAddresses(const Json& settings, std::vector<std::string>& addresses) {
  const Json& networks = Member(settings, "Networks");
  if (!networks.is_object()) return;
  for (const Json& network : networks) {
    for (const char* key : {"IPAddress", "GlobalIPv6Address"}) {
      AddUnique(CleanText(Text(Member(network, key)), kMaxNameBytes), addresses);
    }
  }
}

}  // namespace

std::optional<ContainerFacts> ParseDockerContainer(std::string_view json, size_t* cut) {
  const Json root = ParseJson(json);
  ContainerFacts facts;
  // The API writes "Id", the file "ID".
  const std::string_view id = Text(Member(root, "Id"));
  facts.id = CleanText(id.empty() ? Text(Member(root, "ID")) : id, kMaxNameBytes);
  if (facts.id.empty()) return std::nullopt;
  std::string_view name = Text(Member(root, "Name"));
  if (name.starts_with('/')) name.remove_prefix(1);
  facts.name = CleanText(name, kMaxNameBytes, cut);
  facts.image_id = CleanText(Text(Member(root, "Image")), kMaxNameBytes);
  const Json& config = Member(root, "Config");
  AddImageName(Text(Member(config, "Image")), facts);
  facts.labels = LabelsOf(Member(config, "Labels"), cut);
  facts.env = VariablesOf(Member(config, "Env"));
  AddAddresses(Member(root, "NetworkSettings"), facts.addresses);
  return facts;
}

void AddDockerImage(std::string_view json, ContainerFacts& facts) {
  const Json root = ParseJson(json);
  const auto each = [](const Json& list, const auto& use) {
    if (!list.is_array()) return;
    for (const Json& item : list) use(CleanText(Text(item), kMaxNameBytes));
  };
  each(Member(root, "RepoTags"), [&](const std::string& text) {
    ImageName split = SplitImageName(text);
    if (split.name == "<none>") return;
    if (facts.image_name.empty()) facts.image_name = split.name;
    if (split.name == facts.image_name) AddUnique(std::move(split.tag), facts.image_tags);
  });
  each(Member(root, "RepoDigests"), [&](std::string text) {
    if (!text.starts_with("<none>")) AddUnique(std::move(text), facts.image_digests);
  });
}

std::vector<std::string> ParseDockerList(std::string_view json) {
  std::vector<std::string> ids;
  const Json root = ParseJson(json);
  if (!root.is_array()) return ids;
  for (const Json& item : root) {
    if (ids.size() == kMaxListed) break;
    std::string id = CleanText(Text(Member(item, "Id")), kMaxNameBytes);
    if (!id.empty()) ids.push_back(std::move(id));
  }
  return ids;
}

std::optional<DockerEvent> ParseDockerEvent(std::string_view json) {
  const Json root = ParseJson(json);
  const std::string_view type = Text(Member(root, "Type"));
  if (!type.empty() && type != "container") return std::nullopt;
  DockerEvent event;
  event.id = CleanText(Text(Member(Member(root, "Actor"), "ID")), kMaxNameBytes);
  // "exec_create: /bin/sh" has an argument.
  const std::string_view action = Text(Member(root, "Action"));
  event.action = CleanText(action.substr(0, action.find(':')), kMaxNameBytes);
  if (event.id.empty() || event.action.empty()) return std::nullopt;
  return event;
}

}  // namespace sonde::container
