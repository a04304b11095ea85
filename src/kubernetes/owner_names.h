// SPDX-License-Identifier: Apache-2.0
// Names of owners as Kubernetes' controllers compose them, for when the owner cannot be asked for.
#pragma once

#include <optional>

#include "kubernetes/object_json.h"
#include "sonde/pipeline/workload.h"

namespace sonde::kubernetes {

// The Deployment of a pod's ReplicaSet, the CronJob of its Job; without uid. Empty: the names do
// not show it.
std::optional<PodOwner> DeriveOwner(const Pod& pod);

}  // namespace sonde::kubernetes
