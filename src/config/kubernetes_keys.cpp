// SPDX-License-Identifier: Apache-2.0
// The keys of sonde.kubernetes.
#include "config/kubernetes_keys.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/key.h"
#include "config/key_types.h"
#include "config/text_rules.h"
#include "sonde/config/config.h"

namespace sonde::config {
namespace {

// A DNS-1123 subdomain, as Kubernetes names nodes: it goes into a query of the API.
bool ValidNodeName(std::string_view text) {
  constexpr size_t kMaxLength = 253;
  return !text.empty() && text.size() <= kMaxLength && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool ValidUrl(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) &&
         text.find_first_of(" \t\r\n\"") == std::string_view::npos;
}

bool ValidText(std::string_view text) { return !text.empty(); }

TextRule Pattern() { return {"a pattern such as team or example.com/*", ValidText, ""}; }

void AddAccessKeys(KeyTable& t) {
  t.push_back({"sonde.kubernetes.enabled",
               "",
               "",
               {"SONDE_KUBERNETES"},
               "Whether pods are learnt from the Kubernetes API; auto: in a cluster, or with a "
               "kubeconfig.",
               Choice<KubernetesUse>([](Draft& d) -> auto& { return d.config.kubernetes.use; },
                                     {{"auto", KubernetesUse::kAuto},
                                      {"on", KubernetesUse::kOn},
                                      {"off", KubernetesUse::kOff}})});
  t.push_back({"sonde.kubernetes.kubeconfig",
               "",
               "",
               {},
               "kubeconfig file to use instead of the pod's service account: its current context, "
               "with a token or a client certificate.",
               Text([](Draft& d) -> auto& { return d.config.kubernetes.kubeconfig; }, FilePath())});
  t.push_back({"sonde.kubernetes.node_name",
               "",
               "",
               {},
               "Node whose pods are watched. Default: NODE_NAME, K8S_NODE_NAME.",
               Text([](Draft& d) -> auto& { return d.config.kubernetes.node_name; },
                    {"the name of a node", ValidNodeName, ""})});
  t.push_back({"sonde.kubernetes.cluster_name",
               "",
               "",
               {},
               "k8s.cluster.name of all pods; the API does not know it.",
               Text([](Draft& d) -> auto& { return d.config.kubernetes.cluster_name; },
                    {"a name", ValidText, ""})});
  t.push_back(
      {"sonde.kubernetes.kubelet",
       "",
       "",
       {},
       "Whether the node's kubelet is asked while the API server does not answer; needs the "
       "rule get nodes/proxy.",
       Flag([](Draft& d) -> auto& { return d.config.kubernetes.kubelet; })});
  t.push_back({"sonde.kubernetes.services",
               "",
               "",
               {},
               "Whether the services of the cluster are followed, so that calls to their addresses "
               "say their names; needs the rules list and watch services.",
               Flag([](Draft& d) -> auto& { return d.config.kubernetes.services; })});
  t.push_back({"sonde.kubernetes.kubelet_url",
               "",
               "",
               {},
               "Where the kubelet listens. Default: https://NODE:10250.",
               Text([](Draft& d) -> auto& { return d.config.kubernetes.kubelet_url; },
                    {"a URL", ValidUrl, ""})});
  t.push_back({"sonde.kubernetes.kubelet_insecure",
               "",
               "",
               {},
               "Whether the kubelet's certificate is taken unchecked, for clusters where it signs "
               "its own. Who takes its place can then read sonde's token.",
               Flag([](Draft& d) -> auto& { return d.config.kubernetes.kubelet_insecure; })});
}

using Lists = Member<std::vector<std::string>>;

void AddList(KeyTable& t, const std::string& name, const std::string& of,
             const std::string& attribute, Lists lists) {
  t.push_back({"sonde.kubernetes." + name,
               "",
               "",
               {},
               of + " that become " + attribute + ".KEY, as patterns. Default: none.",
               TextList(lists, {.each = Pattern()})});
}

}  // namespace

void AddKubernetesKeys(KeyTable& t) {
  AddAccessKeys(t);
  AddList(t, "pod_labels", "Labels of pods", "k8s.pod.label",
          [](Draft& d) -> auto& { return d.config.resource.kubernetes.pod_labels; });
  AddList(t, "pod_annotations", "Annotations of pods", "k8s.pod.annotation",
          [](Draft& d) -> auto& { return d.config.resource.kubernetes.pod_annotations; });
  AddList(t, "namespace_labels", "Labels of namespaces", "k8s.namespace.label",
          [](Draft& d) -> auto& { return d.config.resource.kubernetes.namespace_labels; });
  AddList(t, "namespace_annotations", "Annotations of namespaces", "k8s.namespace.annotation",
          [](Draft& d) -> auto& { return d.config.resource.kubernetes.namespace_annotations; });
  t.push_back(
      {"sonde.kubernetes.service_from_labels",
       "",
       "",
       {},
       "Whether the labels app.kubernetes.io/instance, /name and /version give service.name "
       "and service.version.",
       Flag([](Draft& d) -> auto& { return d.config.resource.kubernetes.service_from_labels; })});
  t.push_back(
      {"sonde.kubernetes.opt_annotation",
       "",
       "",
       {},
       "Annotation (or label) by which a pod, or else its namespace, decides for itself: "
       "\"true\" is traced beside what the selectors choose, \"false\" never. Default: none.",
       Text([](Draft& d) -> auto& { return d.config.discovery.opt_annotation; },
            {"a key such as example.com/trace", ValidText, ""})});
}

}  // namespace sonde::config
