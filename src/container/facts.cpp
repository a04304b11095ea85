// SPDX-License-Identifier: Apache-2.0
#include "container/facts.h"

#include <algorithm>
#include <cstddef>
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

void AddLabel(std::string_view key, std::string_view value, Labels& labels, size_t* cut) {
  if (key.empty()) return;
  if (labels.size() == kMaxLabels || key.size() > kMaxKeyBytes) {
    if (cut != nullptr) ++*cut;
    return;
  }
  Labels::value_type label(CleanText(key, kMaxKeyBytes, cut),
                           CleanText(value, kMaxLabelBytes, cut));
  labels.insert(std::ranges::upper_bound(labels, label), std::move(label));
}

void KeepWanted(const std::vector<std::string>& names, Variables& env) {
  std::erase_if(env, [&](const auto& variable) {
    return std::ranges::find(names, variable.first) == names.end();
  });
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
