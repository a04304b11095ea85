// SPDX-License-Identifier: Apache-2.0
// Where the Kubernetes API is and what is shown to it: the service account of the pod that sonde
// runs in, or a kubeconfig file.
#pragma once

#include <functional>
#include <string>

#include "sonde/base/result.h"
#include "sonde/config/config.h"

namespace sonde::kubernetes {

// Value of a variable of sonde's own environment, or "".
using GetEnv = std::function<std::string(const char* name)>;

// Of each pair of file and data (PEM text), at most one is set.
struct Access {
  std::string server;  // "https://10.96.0.1:443", no slash at the end
  std::string ca_file;
  std::string ca_data;  // both empty: the authorities of the system
  std::string token;
  std::string token_file;  // read again for every request, because it is replaced within the hour
  std::string certificate_file;
  std::string certificate_data;
  std::string key_file;
  std::string key_data;
  bool insecure = false;  // the server's certificate is not checked
  std::string origin;     // "service account", or the path of the kubeconfig file
};

constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

// Kubernetes gives every container these variables.
bool InCluster(const GetEnv& env);

// The configuration asks for it: on, or auto and there is something to talk to.
bool IsUsed(const KubernetesOptions& options, const GetEnv& env);

// The file that the options name, else the service account. kFailedPrecondition if there is
// neither, kInvalidArgument if the file cannot be used; with the remedy.
Result<Access> FindAccess(const KubernetesOptions& options, const GetEnv& env,
                          const std::string& service_account = kServiceAccount);

// The node whose pods are watched: configured, NODE_NAME, K8S_NODE_NAME; outside of a cluster the
// host's name, as the kubelet registers it.
Result<std::string> FindNode(const KubernetesOptions& options, const GetEnv& env);

}  // namespace sonde::kubernetes
