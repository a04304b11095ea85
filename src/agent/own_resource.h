// SPDX-License-Identifier: Apache-2.0
// Who sonde itself is: the resource of its own metrics and of what belongs to no single service.
#pragma once

#include <memory>

#include "sonde/config/config.h"
#include "sonde/pipeline/span.h"

namespace sonde::agent {

// service.name sonde, its version, this process, this host, and the operator's attributes.
std::shared_ptr<const Resource> OwnResource(const ResourceOptions& options);

}  // namespace sonde::agent
