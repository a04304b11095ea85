// SPDX-License-Identifier: Apache-2.0
#include "exporter/resource_groups.h"

#include <cstddef>
#include <span>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

ResourceGroups::Group& ResourceGroups::GroupOf(const Resource* resource) {
  // A host has tens of services and a batch few of them: a scan beats a hash.
  for (size_t i = used_; i-- > 0;) {
    if (groups_[i].resource == resource) return groups_[i];
  }
  if (used_ == groups_.size()) groups_.emplace_back();
  Group& group = groups_[used_++];
  group.resource = resource;
  group.spans.clear();
  return group;
}

std::span<const ResourceGroups::Group> ResourceGroups::Split(std::span<const Span> batch) {
  used_ = 0;
  Group* last = nullptr;
  for (const Span& span : batch) {
    if (last == nullptr || last->resource != span.resource.get())
      last = &GroupOf(span.resource.get());
    last->spans.push_back(&span);
  }
  return {groups_.data(), used_};
}

}  // namespace sonde::exporter
