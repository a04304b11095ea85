// SPDX-License-Identifier: Apache-2.0
// One place that knows containers: an engine's API, a runtime's files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/base/result.h"
#include "sonde/pipeline/workload.h"

namespace sonde::container {

// Find() and Stamp() are called by one worker thread and may wait, for kAnswerTimeout at most.
class Provider {
 public:
  // Any thread. Something may have changed about this container; "": about any.
  using OnChange = std::function<void(std::string id)>;

  virtual ~Provider() = default;
  virtual std::string_view name() const = 0;  // label value: docker, podman, state_files
  // kNotFound: not this one's. kUnavailable: cannot be asked now. Else: the answer is of no use.
  // `cut` counts labels that were cut or left out.
  virtual Result<ContainerFacts> Find(const std::string& id, size_t* cut) = 0;
  // Of providers that do not tell of changes: another number when the container has changed.
  virtual int64_t Stamp(const std::string& /*id*/) { return 0; }
  // Ids of running containers, for those that tell of changes; best effort.
  virtual std::vector<std::string> Running() { return {}; }
  // Begins to tell of changes, on a thread of its own, until the provider is destroyed.
  virtual void Watch(OnChange /*on_change*/) {}
  // Any thread: Find() returns soon.
  virtual void Cancel() {}
};

}  // namespace sonde::container
