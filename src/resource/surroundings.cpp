// SPDX-License-Identifier: Apache-2.0
#include "resource/surroundings.h"

#include <fnmatch.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resource/owned_resource.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {
namespace {

constexpr std::string_view kComposeService = "com.docker.compose.service";

void AddList(std::string_view key, const std::vector<std::string>& values,
             ResourceBuilder& builder) {
  if (!values.empty()) builder.Add(key, AttributeValue(values));
}

void AddContainer(const ContainerFacts& facts, std::span<const std::string> labels,
                  ResourceBuilder& builder) {
  builder.AddText("container.name", facts.name);
  builder.AddText("container.image.name", facts.image_name);
  builder.AddText("container.image.id", facts.image_id);
  AddList("container.image.tags", facts.image_tags, builder);
  AddList("container.image.repo_digests", facts.image_digests, builder);
  for (const auto& [key, value] : facts.labels) {
    const bool wanted = std::ranges::any_of(labels, [&key](const std::string& glob) {
      return fnmatch(glob.c_str(), key.c_str(), 0) == 0;
    });
    if (wanted) builder.AddOwned("container.label." + key, value);
  }
}

std::string LabelOf(const ContainerFacts& facts, std::string_view key) {
  const auto found =
      std::ranges::find_if(facts.labels, [key](const auto& label) { return label.first == key; });
  return found == facts.labels.end() ? std::string() : found->second;
}

// "nginx.service" names a service; scopes, of sessions for instance, name none.
std::string UnitName(std::string_view unit) {
  constexpr std::string_view kService = ".service";
  if (!unit.ends_with(kService)) return {};
  return std::string(unit.substr(0, unit.size() - kService.size()));
}

}  // namespace

void AddSurroundings(const Surroundings& around, std::span<const std::string> labels,
                     ResourceBuilder& builder) {
  const Membership& of = around.membership;
  builder.AddText("container.id", of.container_id);
  builder.AddText("k8s.pod.uid", of.pod_uid);
  builder.AddText("systemd.unit.name", of.unit);
  builder.AddText("sonde.systemd.slice", of.slice);
  std::string runtime = of.runtime;
  if (runtime.empty() && around.container != nullptr) runtime = around.container->runtime;
  builder.AddText("container.runtime.name", std::move(runtime));
  if (around.container != nullptr) AddContainer(*around.container, labels, builder);
}

std::string SurroundingsServiceName(const Surroundings& around) {
  if (around.container != nullptr) {
    std::string name = LabelOf(*around.container, kComposeService);
    if (name.empty()) name = around.container->name;
    if (!name.empty()) return name;
  }
  // A unit inside of a container counts; the runtime's own does not name what it runs.
  return UnitName(around.membership.unit);
}

}  // namespace sonde::resource
