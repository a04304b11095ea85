// SPDX-License-Identifier: Apache-2.0
// What container and systemd unit add to a resource.
#pragma once

#include <span>
#include <string>

#include "resource/owned_resource.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {

// container.*, k8s.pod.uid, systemd.unit.name, and of the container's labels those that match one
// of `labels` (globs) as container.label.KEY.
void AddSurroundings(const Surroundings& around, std::span<const std::string> labels,
                     ResourceBuilder& builder);

// service.name in the order of contract.md, from the container's compose service to the unit; "" if
// there is neither.
std::string SurroundingsServiceName(const Surroundings& around);

}  // namespace sonde::resource
