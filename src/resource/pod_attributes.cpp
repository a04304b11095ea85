// SPDX-License-Identifier: Apache-2.0
#include "resource/pod_attributes.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resource/owned_resource.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {
namespace {

constexpr std::string_view kAnnotation = "resource.opentelemetry.io/";

// In the order in which they give service.name, from the ancestor to the descendant.
struct Workload {
  std::string_view kind;
  std::string_view name_key;
  std::string_view uid_key;
};
constexpr std::array kWorkloads = {
    Workload{"Deployment", "k8s.deployment.name", "k8s.deployment.uid"},
    Workload{"ReplicaSet", "k8s.replicaset.name", "k8s.replicaset.uid"},
    Workload{"StatefulSet", "k8s.statefulset.name", "k8s.statefulset.uid"},
    Workload{"DaemonSet", "k8s.daemonset.name", "k8s.daemonset.uid"},
    Workload{"CronJob", "k8s.cronjob.name", "k8s.cronjob.uid"},
    Workload{"Job", "k8s.job.name", "k8s.job.uid"},
    Workload{"ReplicationController", "k8s.replicationcontroller.name",
             "k8s.replicationcontroller.uid"},
};

std::string Find(const Labels& labels, std::string_view key) {
  const auto found =
      std::ranges::find_if(labels, [key](const auto& label) { return label.first == key; });
  return found == labels.end() ? std::string() : found->second;
}

std::string Annotated(const PodFacts& pod, std::string_view attribute) {
  return Find(pod.annotations, std::string(kAnnotation).append(attribute));
}

void AddWanted(const Labels& labels, const std::vector<std::string>& globs,
               const std::string& prefix, ResourceBuilder& builder) {
  for (const auto& [key, value] : labels) {
    const bool wanted = std::ranges::any_of(globs, [&key](const std::string& glob) {
      return fnmatch(glob.c_str(), key.c_str(), 0) == 0;
    });
    if (wanted) builder.AddOwned(prefix + key, value);
  }
}

// What sonde alone can tell is not for others to say.
bool MayBeAnnotated(std::string_view key) {
  return !key.empty() && !key.starts_with("process.") && !key.starts_with("telemetry.sdk.") &&
         key != "service.name" && key != "service.instance.id";
}

std::string Version(const PodFacts& pod, const KubernetesAttributes& wanted) {
  if (wanted.service_from_labels) {
    std::string label = Find(pod.labels, "app.kubernetes.io/version");
    if (!label.empty()) return label;
  }
  if (pod.image_digest.empty()) return pod.image_tag;
  return pod.image_tag.empty() ? pod.image_digest : pod.image_tag + "@" + pod.image_digest;
}

void AddImage(const PodFacts& pod, ResourceBuilder& builder) {
  builder.AddText("container.image.name", pod.image_name);
  if (!pod.image_tag.empty()) {
    builder.Add("container.image.tags", std::vector<std::string>{pod.image_tag});
  }
  if (!pod.image_digest.empty()) {
    builder.Add("container.image.repo_digests",
                std::vector<std::string>{pod.image_name + "@" + pod.image_digest});
  }
}

}  // namespace

void AddPod(const PodFacts& pod, const KubernetesAttributes& wanted, ResourceBuilder& builder) {
  builder.AddText("k8s.pod.name", pod.name);
  builder.AddText("k8s.pod.uid", pod.uid);
  builder.AddText("k8s.namespace.name", pod.namespace_name);
  builder.AddText("k8s.node.name", pod.node);
  builder.AddText("k8s.cluster.name", pod.cluster);
  if (!pod.container_name.empty()) {
    builder.AddText("k8s.container.name", pod.container_name);
    builder.Add("k8s.container.restart_count", static_cast<int64_t>(pod.restart_count));
  }
  for (const PodOwner& owner : pod.owners) {
    const auto workload = std::ranges::find(kWorkloads, owner.kind, &Workload::kind);
    if (workload == kWorkloads.end()) continue;
    builder.AddText(workload->name_key, owner.name);
    builder.AddText(workload->uid_key, owner.uid);
  }
  AddImage(pod, builder);
  for (const auto& [key, value] : pod.annotations) {
    if (!key.starts_with(kAnnotation)) continue;
    const std::string attribute = key.substr(kAnnotation.size());
    if (MayBeAnnotated(attribute) && !value.empty()) builder.AddOwned(attribute, value);
  }
  builder.AddText("service.namespace", pod.namespace_name);
  builder.AddText("service.version", Version(pod, wanted));
  AddWanted(pod.labels, wanted.pod_labels, "k8s.pod.label.", builder);
  AddWanted(pod.annotations, wanted.pod_annotations, "k8s.pod.annotation.", builder);
  AddWanted(pod.namespace_labels, wanted.namespace_labels, "k8s.namespace.label.", builder);
  AddWanted(pod.namespace_annotations, wanted.namespace_annotations, "k8s.namespace.annotation.",
            builder);
}

std::string PodServiceName(const PodFacts& pod, const KubernetesAttributes& wanted) {
  std::string name = Annotated(pod, "service.name");
  if (wanted.service_from_labels) {
    if (name.empty()) name = Find(pod.labels, "app.kubernetes.io/instance");
    if (name.empty()) name = Find(pod.labels, "app.kubernetes.io/name");
  }
  for (const Workload& workload : kWorkloads) {
    const auto owner = std::ranges::find(pod.owners, workload.kind, &PodOwner::kind);
    if (name.empty() && owner != pod.owners.end()) name = owner->name;
  }
  if (name.empty()) name = pod.name;
  return name.empty() ? pod.container_name : name;
}

std::string PodInstanceId(const PodFacts& pod) {
  std::string id = Annotated(pod, "service.instance.id");
  if (!id.empty() || pod.container_name.empty()) return id;
  return pod.namespace_name + "." + pod.name + "." + pod.container_name;
}

}  // namespace sonde::resource
