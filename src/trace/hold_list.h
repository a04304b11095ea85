// SPDX-License-Identifier: Apache-2.0
// Finished requests whose spans wait, oldest first. Intrusive: adding and removing cost no memory
// and no search.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace/request.h"

namespace sonde::trace {

class HoldList {
 public:
  void Add(Request& request, uint64_t now_ns) {
    request.held_in = this;
    request.held_since_ns = now_ns;
    request.held_previous = last_;
    request.held_next = nullptr;
    (last_ == nullptr ? first_ : last_->held_next) = &request;
    last_ = &request;
    ++size_;
  }

  void Remove(Request& request) {
    (request.held_previous == nullptr ? first_ : request.held_previous->held_next) =
        request.held_next;
    (request.held_next == nullptr ? last_ : request.held_next->held_previous) =
        request.held_previous;
    request.held_in = nullptr;
    --size_;
  }

  Request* oldest() const { return first_; }
  size_t size() const { return size_; }

 private:
  Request* first_ = nullptr;
  Request* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sonde::trace
