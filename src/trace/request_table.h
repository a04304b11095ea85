// SPDX-License-Identifier: Apache-2.0
// Owns the requests that the trace stage knows, by exchange id; recycles their memory.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <deque>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/request.h"

namespace sonde::trace {

// Requests stay at their address until erased.
class RequestTable {
 public:
  // `id` must not be in the table.
  Request& Add(ExchangeId id);
  Request* Find(ExchangeId id) const;
  void Erase(Request& request);
  size_t size() const { return by_id_.size(); }

 private:
  absl::flat_hash_map<ExchangeId, Request*> by_id_;
  std::deque<Request> pool_;
  std::vector<Request*> free_;
};

}  // namespace sonde::trace
