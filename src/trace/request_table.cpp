// SPDX-License-Identifier: Apache-2.0
#include "trace/request_table.h"

#include "sonde/pipeline/exchange.h"
#include "trace/request.h"

namespace sonde::trace {

Request& RequestTable::Add(ExchangeId id) {
  if (free_.empty()) free_.push_back(&pool_.emplace_back());
  Request* request = free_.back();
  free_.pop_back();
  request->id = id;
  by_id_.emplace(id, request);
  return *request;
}

Request* RequestTable::Find(ExchangeId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

void RequestTable::Erase(Request& request) {
  by_id_.erase(request.id);
  request = Request{};
  free_.push_back(&request);
}

}  // namespace sonde::trace
