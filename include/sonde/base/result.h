// SPDX-License-Identifier: Apache-2.0
// The one error type: a value or a status with a message meant for the operator.
//
// Three patterns:  RETURN_IF_ERROR-free code returns early by hand:
//   auto loader = Loader::Create(options);
//   if (!loader.ok()) return loader.status();
// The message says what failed and the remedy; the code says which exit code applies:
//   kInvalidArgument -> exit 2 (usage or configuration)
//   kPermissionDenied, kUnimplemented, kFailedPrecondition -> exit 3 (the host does not allow it)
//   anything else -> exit 1
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace sonde {

using Status = absl::Status;

template <typename T>
using Result = absl::StatusOr<T>;

}  // namespace sonde
