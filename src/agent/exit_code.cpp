// SPDX-License-Identifier: Apache-2.0
#include "agent/exit_code.h"

#include <absl/status/status.h>
#include <absl/strings/str_split.h>

#include <cstdio>
#include <string>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::agent {

int Fail(const Status& status) {
  const std::vector<std::string> lines = absl::StrSplit(status.message(), '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    std::fprintf(stderr, "sonde: %s\n", line.c_str());
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitDone;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
      return kExitNotAllowed;
    default:
      return kExitFailed;
  }
}

}  // namespace sonde::agent
