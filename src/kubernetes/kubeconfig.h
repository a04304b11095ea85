// SPDX-License-Identifier: Apache-2.0
// A kubeconfig file: cluster and user of its current context. Tokens and client certificates are
// understood; a user that runs a program (exec) is refused, because sonde starts none.
#pragma once

#include <string>

#include "kubernetes/access.h"
#include "sonde/base/result.h"

namespace sonde::kubernetes {

// Relative paths in the file are relative to it. kInvalidArgument with file and remedy.
Result<Access> ReadKubeconfig(const std::string& path);

}  // namespace sonde::kubernetes
