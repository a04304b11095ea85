// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/access.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "kubernetes/kubeconfig.h"
#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::kubernetes {
namespace {

std::string ServerFromEnv(const GetEnv& env) {
  const std::string host = env("KUBERNETES_SERVICE_HOST");
  const std::string port = env("KUBERNETES_SERVICE_PORT");
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat("https://", v6 ? "[" : "", host, v6 ? "]" : "", ":",
                      port.empty() ? "443" : port);
}

}  // namespace

bool InCluster(const GetEnv& env) { return !env("KUBERNETES_SERVICE_HOST").empty(); }

bool IsUsed(const KubernetesOptions& options, const GetEnv& env) {
  if (options.use != KubernetesUse::kAuto) return options.use == KubernetesUse::kOn;
  return !options.kubeconfig.empty() || InCluster(env);
}

Result<Access> FindAccess(const KubernetesOptions& options, const GetEnv& env,
                          const std::string& service_account) {
  if (!options.kubeconfig.empty()) return ReadKubeconfig(options.kubeconfig);
  if (!InCluster(env)) {
    return absl::FailedPreconditionError(
        "not in a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set; remedy: run sonde as a "
        "pod, or name a kubeconfig file with sonde.kubernetes.kubeconfig");
  }
  Access access;
  access.server = ServerFromEnv(env);
  access.token_file = service_account + "/token";
  access.ca_file = service_account + "/ca.crt";
  access.origin = "service account";
  for (const std::string& file : {access.token_file, access.ca_file}) {
    if (::access(file.c_str(), R_OK) == 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(file,
                     " cannot be read; remedy: automountServiceAccountToken: true in the "
                     "pod's specification, and a service account that may watch pods"));
  }
  return access;
}

Result<std::string> FindNode(const KubernetesOptions& options, const GetEnv& env) {
  if (!options.node_name.empty()) return options.node_name;
  for (const char* name : {"NODE_NAME", "K8S_NODE_NAME"}) {
    if (std::string node = env(name); !node.empty()) return node;
  }
  std::array<char, 256> host{};
  // A pod's host name is the pod's, not the node's.
  if (!InCluster(env) && gethostname(host.data(), host.size() - 1) == 0) {
    return absl::AsciiStrToLower(host.data());
  }
  return absl::FailedPreconditionError(
      "the node's name is not known; remedy: set NODE_NAME from fieldRef spec.nodeName in the "
      "pod's "
      "specification, or sonde.kubernetes.node_name");
}

}  // namespace sonde::kubernetes
