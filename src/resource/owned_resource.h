// SPDX-License-Identifier: Apache-2.0
// A Resource with the keys that are no literals: names that a process or an operator made up live
// exactly as long as the resources that use them, instead of being interned for good.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sonde/pipeline/span.h"

namespace sonde::resource {

// Who gave service.name. Whatever surrounds a process names it only if nobody did.
enum class NameFrom : uint8_t { kFound, kConfigured, kProcess };

struct OwnedResource : Resource {
  // Shared by a process and the children that were forked from it; null = literals only. Immutable
  // once shared.
  std::shared_ptr<const std::deque<std::string>> keys;
  // Whose keys it has too.
  std::shared_ptr<const OwnedResource> beneath;
  NameFrom name_from = NameFrom::kFound;
  bool host_id_given = false;  // as instance_id_given
  bool instance_id_given =
      false;  // by the process's environment or the operator: stays across forks
};

// Sets what is not set yet: the strongest source comes first.
class ResourceBuilder {
 public:
  ResourceBuilder() = default;
  // Goes on from what `beneath` has.
  explicit ResourceBuilder(std::shared_ptr<const OwnedResource> beneath) : resource_(*beneath) {
    resource_.beneath = std::move(beneath);
    resource_.keys.reset();
  }
  // `key` must be a literal.
  void Add(std::string_view key, AttributeValue value) {
    if (FindAttribute(resource_.attributes, key) == nullptr) {
      resource_.attributes.push_back({key, std::move(value)});
    }
  }
  void AddText(std::string_view key, std::string value) {
    if (!value.empty()) Add(key, AttributeValue(std::move(value)));
  }
  void AddOwned(std::string key, AttributeValue value) {
    if (FindAttribute(resource_.attributes, key) != nullptr) return;
    keys_.push_back(std::move(key));
    resource_.attributes.push_back({keys_.back(), std::move(value)});
  }
  bool Has(std::string_view key) const {
    return FindAttribute(resource_.attributes, key) != nullptr;
  }
  // service_name is taken from the attributes.
  std::shared_ptr<const OwnedResource> Build() {
    const AttributeValue* name = FindAttribute(resource_.attributes, "service.name");
    const auto* text = name == nullptr ? nullptr : std::get_if<std::string>(name);
    if (text != nullptr) resource_.service_name = *text;
    // Moving a deque moves no element: the views stay valid.
    if (!keys_.empty()) {
      resource_.keys = std::make_shared<const std::deque<std::string>>(std::move(keys_));
    }
    return std::make_shared<const OwnedResource>(std::move(resource_));
  }
  OwnedResource& resource() { return resource_; }

 private:
  OwnedResource resource_;
  std::deque<std::string> keys_;
};

}  // namespace sonde::resource
