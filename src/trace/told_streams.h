// SPDX-License-Identifier: Apache-2.0
// Of one process: which execution works for which stream of HTTP/2, and whose call a stream is,
// where a runtime tells so (Go). One execution moves the bytes of all streams of a connection, so
// who moved a request, a response or a call says nothing about it. Drain thread.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class ToldStreams {
 public:
  using ExecutionId = uint64_t;
  struct Worker {
    ExecutionId execution = 0;
    uint64_t since_ns = 0;
  };

  // A request was read on a stream. Who works for it, if that was told before.
  std::optional<Worker> Opens(const RequestFact& fact);
  // As RequestFact had it.
  void Ends(const RequestFact& fact);
  // kServes: the open request that it is about; 0 = none yet, it is remembered.
  ExchangeId Serves(const ExecutionEvent& event);

  // kCalls.
  void Calls(const ExecutionEvent& event);
  // Who made a call that was sent on a stream: who sent it, where no other is told. 0 = another,
  // but it was not told who.
  ExecutionId Caller(const RequestFact& call);

  // Of each kind (two generations of so many).
  static constexpr size_t kRemembered = 16'384;

 private:
  // Of a connection, or of the one that an execution reads or writes.
  enum class Of : uint8_t { kConnection, kExecution };
  using Key = std::tuple<Of, uint64_t, uint32_t>;
  using Keys = absl::InlinedVector<Key, 2>;

  static Keys KeysOf(const RequestFact& fact);
  static Keys KeysOf(const ExecutionEvent& event);

  absl::flat_hash_map<Key, ExchangeId> open_;
  RecentMap<Key, Worker> early_{kRemembered};
  RecentMap<Key, ExecutionId> callers_{kRemembered};
  RecentMap<ExecutionId, bool> writers_{kRemembered};  // that send what others call
};

}  // namespace sonde::trace
