// SPDX-License-Identifier: Apache-2.0
#include "agent/links_json.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trace/link_method.h"
#include "trace/link_status.h"

namespace sonde::agent {
namespace {

std::vector<std::string> Names(const std::vector<trace::LinkMethod>& methods) {
  std::vector<std::string> names;
  names.reserve(methods.size());
  for (const trace::LinkMethod method : methods) names.emplace_back(trace::LinkMethodName(method));
  return names;
}

}  // namespace

std::string LinksJson(const std::vector<trace::ProcessLinks>& processes) {
  auto list = nlohmann::ordered_json::array();
  for (const trace::ProcessLinks& process : processes) {
    auto linked = nlohmann::ordered_json::object();
    for (size_t i = 0; i < process.linked.size(); ++i) {
      if (process.linked.at(i) == 0) continue;
      linked[std::string(trace::LinkMethodName(static_cast<trace::LinkMethod>(i)))] =
          process.linked.at(i);
    }
    list.push_back({{"pid", process.tgid},
                    {"runtime", std::string(trace::RuntimeName(process.runtime))},
                    {"rules_active", Names(process.active)},
                    {"rules_off", Names(process.closed)},
                    {"linked", linked},
                    {"unlinked", process.unlinked},
                    {"refused", process.refused},
                    {"held", process.held}});
  }
  return list.dump(2) + "\n";
}

}  // namespace sonde::agent
