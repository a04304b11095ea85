// SPDX-License-Identifier: Apache-2.0
// Where a value came from, and what was wrong on the way.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sonde/base/result.h"

namespace sonde::config {

// In rising precedence.
enum class Layer { kDefault, kFile, kEnvironment, kFlag };

struct Origin {
  Layer layer = Layer::kDefault;
  std::string name;  // flag, variable or file
  int line = 0;      // kFile

  // "default", "file F:12", "env NAME", "flag --x".
  std::string ToString() const;
};

// By key path. A key that is absent has its default.
using Origins = std::map<std::string, Origin>;

// Collects what is wrong, so that one run names every mistake.
class Findings {
 public:
  // `path` is the key; `text` is "expected X, got Y" or another complete sentence. A value of an
  // OTEL_* variable that is not understood is a warning and the value is ignored, as the
  // OpenTelemetry specification demands: such variables are often meant for the applications.
  void Add(const Origin& origin, const std::string& path, const std::string& text);
  void AddError(std::string text) { errors_.push_back(std::move(text)); }
  void AddWarning(std::string text) { warnings_.push_back(std::move(text)); }

  bool ok() const { return errors_.empty(); }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // One finding per line.
  Status ToStatus() const;

 private:
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

}  // namespace sonde::config
