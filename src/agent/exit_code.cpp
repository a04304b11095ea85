// SPDX-License-Identifier: Apache-2.0
#include "agent/exit_code.h"

#include <absl/status/status.h>
#include <absl/strings/str_split.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "sonde/base/result.h"

namespace sonde::agent {

int Fail(const Status& status) {
  for (const std::string_view line : absl::StrSplit(status.message(), '\n', absl::SkipEmpty())) {
    std::fprintf(stderr, "sonde: %.*s\n", static_cast<int>(line.size()), line.data());
  }
  switch (status.code()) {
    case absl::StatusCode::kOk: return kExitDone;
    case absl::StatusCode::kInvalidArgument: return kExitUsage;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition: return kExitNotAllowed;
    default: return kExitFailed;
  }
}

}  // namespace sonde::agent
