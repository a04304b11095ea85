// SPDX-License-Identifier: Apache-2.0
#include "trace/incoming_contexts.h"

#include <algorithm>
#include <cstdint>

#include "trace/propagation/propagator.h"
#include "trace/request.h"

namespace sonde::trace {

void IncomingContexts::Add(Request& server) {
  open_[KeyOf(server.by.tgid, *server.header)].push_back(&server);
}

void IncomingContexts::Remove(Request& server) {
  const auto found = open_.find(KeyOf(server.by.tgid, *server.header));
  if (found == open_.end()) return;
  auto& requests = found->second;
  const auto gone = std::ranges::find(requests, &server);
  if (gone != requests.end()) requests.erase(gone);
  if (requests.empty()) open_.erase(found);
}

IncomingContexts::Match IncomingContexts::Find(uint32_t tgid, const HeaderContext& context) const {
  const auto found = open_.find(KeyOf(tgid, context));
  if (found == open_.end()) return {};
  const auto& requests = found->second;
  return {.count = static_cast<uint32_t>(requests.size()),
          .only = requests.size() == 1 ? requests[0] : nullptr};
}

}  // namespace sonde::trace
