// SPDX-License-Identifier: Apache-2.0
// Tells components of one kind apart as the Collector does: "otlp", and the second one "otlp/2".
#pragma once

#include <map>
#include <string>

namespace sonde {

// One thread.
class ComponentNames {
 public:
  // The name of the next component of this kind, in the order of the configuration.
  std::string Next(const std::string& kind) {
    const int number = ++counts_[kind];
    return number == 1 ? kind : kind + "/" + std::to_string(number);
  }

 private:
  std::map<std::string, int> counts_;
};

}  // namespace sonde
