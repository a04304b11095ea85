// SPDX-License-Identifier: Apache-2.0
// For `sonde doctor`: whether the Kubernetes API answers, and whether it lets sonde do what it
// needs.
#pragma once

#include <string>
#include <vector>

#include "kubernetes/access.h"
#include "sonde/config/config.h"

namespace sonde::kubernetes {

struct Finding {
  std::string what;    // "list pods"
  std::string state;   // ok, refused, failed, not needed
  std::string why;     // unless ok
  std::string remedy;  // of a refusal: the rule that is missing
};

struct Check {
  bool used = false;    // the configuration and the surroundings ask for it
  std::string problem;  // why it cannot even be tried, with the remedy
  std::string server;
  std::string node;
  std::vector<Finding> findings;
};

// Asks once, without changing anything: some seconds if nobody answers.
Check CheckApi(const KubernetesOptions& options, const GetEnv& env);

}  // namespace sonde::kubernetes
