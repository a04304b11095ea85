// SPDX-License-Identifier: Apache-2.0
#include "config/origin.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "sonde/base/result.h"

namespace sonde::config {
namespace {

constexpr size_t kMaxShown = 20;  // beyond: a count; a hostile file can hold thousands of mistakes

}  // namespace

std::string Origin::ToString() const {
  switch (layer) {
    case Layer::kDefault:
      return "default";
    case Layer::kFile:
      return "file " + name + ":" + std::to_string(line);
    case Layer::kEnvironment:
      return "env " + name;
    case Layer::kFlag:
      return "flag " + name;
  }
  return {};
}

void Findings::Add(const Origin& origin, const std::string& path, const std::string& text) {
  switch (origin.layer) {
    case Layer::kDefault:
      AddError(path + ": " + text);
      return;
    case Layer::kFile:
      AddError(origin.name + ":" + std::to_string(origin.line) + ": " + path + ": " + text);
      return;
    case Layer::kFlag:
      AddError(origin.name + ": " + text);
      return;
    case Layer::kEnvironment:
      break;
  }
  if (origin.name.starts_with("OTEL_")) {
    AddWarning("environment variable " + origin.name + " is ignored: " + text);
  } else {
    AddError("environment variable " + origin.name + ": " + text);
  }
}

Status Findings::ToStatus() const {
  if (ok()) return absl::OkStatus();
  std::string message;
  const size_t shown = std::min(errors_.size(), kMaxShown);
  for (size_t i = 0; i < shown; ++i) {
    if (i != 0) message += '\n';
    message += errors_[i];
  }
  if (shown < errors_.size()) {
    message += "\n... and " + std::to_string(errors_.size() - shown) + " more";
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace sonde::config
