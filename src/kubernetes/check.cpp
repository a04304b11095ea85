// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/check.h"

#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "kubernetes/access.h"
#include "kubernetes/api_client.h"
#include "kubernetes/kubernetes_source.h"
#include "kubernetes/remedy.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::kubernetes {
namespace {

constexpr std::chrono::seconds kTimeout{3};

Finding FindingOf(const Status& status, const std::string& verb, const std::string& resource) {
  Finding finding;
  finding.what = verb + " " + resource;
  finding.state = status.ok() ? "ok" : absl::IsPermissionDenied(status) ? "refused" : "failed";
  if (!status.ok()) finding.why = std::string(status.message());
  if (absl::IsPermissionDenied(status)) {
    finding.remedy =
        "a ClusterRole of sonde's service account with the rule " + MissingRule(resource, verb);
  }
  return finding;
}

// Whether an object may be read is decided before whether it is there.
Finding MayGet(ApiClient& api, const std::string& path, const std::string& resource) {
  Status status = api.Get(path, kTimeout).status();
  if (absl::IsNotFound(status)) status = absl::OkStatus();
  return FindingOf(status, "get", resource);
}

// `list`: the path of a list of `resource`, with a parameter.
Finding MayWatch(ApiClient& api, const std::string& list, const std::string& resource) {
  size_t left_out = 0;
  return FindingOf(api.Follow(
                       list + "&watch=true&timeoutSeconds=1", kTimeout,
                       [](std::string_view) { return false; }, &left_out),
                   "watch", resource);
}

}  // namespace

Check CheckApi(const KubernetesOptions& options, const GetEnv& env) {
  Check check;
  check.used = IsUsed(options, env);
  if (!check.used) return check;
  const auto access = FindAccess(options, env);
  const auto node = access.ok() ? FindNode(options, env) : access.status();
  if (!node.ok()) {
    check.problem = std::string(node.status().message());
    return check;
  }
  check.server = access->server;
  check.node = *node;
  ApiClient api(*access);
  const std::string pods =
      "/api/v1/pods?fieldSelector=spec.nodeName%3D" + EscapeQuery(*node) + "&limit=1";
  const Status list = api.Get(pods, kTimeout).status();
  check.findings.push_back(FindingOf(list, "list", "pods"));
  if (absl::IsUnavailable(list) || absl::IsUnauthenticated(list)) return check;
  check.findings.push_back(MayWatch(api, pods, "pods"));
  if (options.services) {
    const std::string services = "/api/v1/services?limit=1";
    check.findings.push_back(FindingOf(api.Get(services, kTimeout).status(), "list", "services"));
    check.findings.push_back(MayWatch(api, services, "services"));
  }
  const std::string in = "/namespaces/default/";
  check.findings.push_back(MayGet(api, "/apis/apps/v1" + in + "replicasets/sonde", "replicasets"));
  check.findings.push_back(MayGet(api, "/apis/batch/v1" + in + "jobs/sonde", "jobs"));
  if (options.namespace_metadata) {
    check.findings.push_back(MayGet(api, "/api/v1/namespaces/default", "namespaces"));
  }
  if (const auto kubelet = KubeletAccess(options, *access, *node)) {
    ApiClient client(*kubelet);
    Finding finding = FindingOf(client.Get("/pods", kTimeout).status(), "get", "nodes/proxy");
    finding.what += " (" + kubelet->server + ", asked while the API server does not answer)";
    check.findings.push_back(finding);
  }
  return check;
}

}  // namespace sonde::kubernetes
