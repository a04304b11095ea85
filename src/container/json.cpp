// SPDX-License-Identifier: Apache-2.0
#include "container/json.h"

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "container/facts.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
Json ParseJson(std::string_view text) { return Json::parse(text, nullptr, false); }

const Json& Member(const Json& object, const char* name) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(name);
  return found == object.end() ? kNothing : *found;
}

std::string_view Text(const Json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

Labels LabelsOf(const Json& object, size_t* cut) {
  Labels labels;
  if (!object.is_object()) return labels;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) AddLabel(key, Text(value), labels, cut);
  }
  return labels;
}

Variables VariablesOf(const Json& list) {
  Variables variables;
  if (!list.is_array()) return variables;
  absl::flat_hash_set<std::string_view> names;  // there may be as many as the text has room for
  for (const Json& item : list) {
    const std::string_view text = Text(item);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (names.insert(name).second) variables.emplace_back(name, text.substr(equals + 1));
  }
  return variables;
}

Variables SpecVariables(const Json& spec) {
  return VariablesOf(Member(Member(spec, "process"), "env"));
}

}  // namespace sonde::container
