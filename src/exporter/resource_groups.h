// SPDX-License-Identifier: Apache-2.0
// Spans of a batch by resource, as OTLP nests them. sonde has one instrumentation scope, so that a
// resource's spans are one scope's spans.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sonde/pipeline/span.h"

namespace sonde::exporter {

// Reused between batches: nothing is allocated once it has grown.
class ResourceGroups {
 public:
  struct Group {
    const Resource* resource = nullptr;  // null: the process was never known
    std::vector<const Span*> spans;
  };

  // The groups of `batch`, in order of first appearance; valid until the next call.
  std::span<const Group> Split(std::span<const Span> batch);

 private:
  Group& GroupOf(const Resource* resource);

  std::vector<Group> groups_;
  size_t used_ = 0;
};

}  // namespace sonde::exporter
