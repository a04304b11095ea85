// SPDX-License-Identifier: Apache-2.0
#include "container/json.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/text.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {
namespace {

constexpr size_t kMaxLabels = 256;
constexpr size_t kMaxTags = 32;

bool IsImageId(std::string_view text) {
  constexpr std::string_view kHash = "sha256:";
  constexpr size_t kDigits = 64;
  if (text.starts_with(kHash)) text.remove_prefix(kHash.size());
  return text.size() == kDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

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
    if (!value.is_string() || key.empty()) continue;
    if (labels.size() == kMaxLabels || key.size() > kMaxKeyBytes) {
      if (cut != nullptr) ++*cut;
      continue;
    }
    labels.emplace_back(CleanText(key, kMaxKeyBytes, cut),
                        CleanText(Text(value), kMaxLabelBytes, cut));
  }
  std::ranges::sort(labels);
  return labels;
}

void AddUnique(std::string value, std::vector<std::string>& list) {
  if (!value.empty() && list.size() < kMaxTags && std::ranges::find(list, value) == list.end()) {
    list.push_back(std::move(value));
  }
}

void AddImageName(std::string_view name, ContainerFacts& facts) {
  const std::string image = CleanText(name, kMaxNameBytes);
  if (image.empty() || IsImageId(image)) return;
  ImageName split = SplitImageName(image);
  facts.image_name = split.name;
  AddUnique(std::move(split.tag), facts.image_tags);
  if (!split.digest.empty()) AddUnique(split.name + "@" + split.digest, facts.image_digests);
}

}  // namespace sonde::container
