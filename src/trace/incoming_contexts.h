// SPDX-License-Identifier: Apache-2.0
// The header contexts of open incoming requests, per process: an outgoing request with the very
// same context was made by something that passes headers on (a proxy), and belongs to the request
// it came in with.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "sonde/base/ids.h"
#include "trace/propagation/propagator.h"
#include "trace/request.h"

namespace sonde::trace {

// Holds pointers to requests that have a header; the owner removes them when they end.
class IncomingContexts {
 public:
  void Add(Request& server);
  void Remove(Request& server);

  struct Match {
    uint32_t count = 0;       // open requests of this process that carry the context
    Request* only = nullptr;  // if there is exactly one
  };
  Match Find(uint32_t tgid, const HeaderContext& context) const;
  // Whether the very same context came in with a request that ended not long ago: what is sent
  // after the answer may still carry it.
  bool CameIn(uint32_t tgid, const HeaderContext& context) const;
  // Whether a request of this trace is open.
  bool HasTrace(uint32_t tgid, const TraceId& trace_id) const;

  static constexpr size_t kRemembered = 4096;  // ended contexts

 private:
  struct Key {
    uint32_t tgid;
    TraceId trace_id;
    SpanId span_id;
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Key& key) {
      return H::combine(std::move(state), key.tgid, OpaqueIdHash{}(key.trace_id),
                        OpaqueIdHash{}(key.span_id));
    }
  };
  static Key KeyOf(uint32_t tgid, const HeaderContext& context) {
    return {.tgid = tgid, .trace_id = context.trace_id, .span_id = context.span_id};
  }

  static Key TraceOf(Key key) {
    key.span_id = {};
    return key;
  }
  static void DropOne(absl::flat_hash_map<Key, uint32_t>& counts, const Key& key);
  void Remember(const Key& key);

  absl::flat_hash_map<Key, absl::InlinedVector<Request*, 1>> open_;
  absl::flat_hash_map<Key, uint32_t> traces_;  // open requests by trace, with a span id of 0
  absl::flat_hash_map<Key, uint32_t> ended_;   // contexts, how often they are in ended_order_
  std::deque<Key> ended_order_;
};

}  // namespace sonde::trace
