// SPDX-License-Identifier: Apache-2.0
// What went wrong with the Kubernetes API, with what would fix it.
#pragma once

#include <string>
#include <string_view>

#include "sonde/base/result.h"

namespace sonde::kubernetes {

// The rule that a ClusterRole must hold for `verb` on `resource` (pods, services, replicasets,
// jobs, namespaces, nodes/proxy).
std::string MissingRule(const std::string& resource, const std::string& verb);

// One line for the operator.
std::string Explain(const Status& status, const std::string& resource, const std::string& verb);

// A value of a query.
std::string EscapeQuery(std::string_view text);

}  // namespace sonde::kubernetes
