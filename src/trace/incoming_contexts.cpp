// SPDX-License-Identifier: Apache-2.0
#include "trace/incoming_contexts.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>

#include "sonde/base/ids.h"
#include "trace/propagation/propagator.h"
#include "trace/request.h"

namespace sonde::trace {

void IncomingContexts::Add(Request& server) {
  const Key key = KeyOf(server.by.tgid, *server.header);
  open_[key].push_back(&server);
  ++traces_[TraceOf(key)];
}

void IncomingContexts::Remove(Request& server) {
  const Key key = KeyOf(server.by.tgid, *server.header);
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  auto& requests = found->second;
  const auto gone = std::ranges::find(requests, &server);
  if (gone == requests.end()) return;
  requests.erase(gone);
  if (requests.empty()) open_.erase(found);
  DropOne(traces_, TraceOf(key));
  Remember(key);
}

void IncomingContexts::Remember(const Key& key) {
  ++ended_[key];
  ended_order_.push_back(key);
  if (ended_order_.size() <= kRemembered) return;
  DropOne(ended_, ended_order_.front());
  ended_order_.pop_front();
}

void IncomingContexts::DropOne(absl::flat_hash_map<Key, uint32_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

bool IncomingContexts::CameIn(uint32_t tgid, const HeaderContext& context) const {
  return ended_.contains(KeyOf(tgid, context));
}

bool IncomingContexts::HasTrace(uint32_t tgid, const TraceId& trace_id) const {
  return traces_.contains({.tgid = tgid, .trace_id = trace_id, .span_id = {}});
}

IncomingContexts::Match IncomingContexts::Find(uint32_t tgid, const HeaderContext& context) const {
  const auto found = open_.find(KeyOf(tgid, context));
  if (found == open_.end()) return {};
  const auto& requests = found->second;
  return {.count = static_cast<uint32_t>(requests.size()),
          .only = requests.size() == 1 ? requests[0] : nullptr};
}

}  // namespace sonde::trace
