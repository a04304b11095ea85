// SPDX-License-Identifier: Apache-2.0
// What a rule keeps about one process: its open incoming requests, and the outgoing calls about
// which the rule owes a verdict.
//
// A call can only belong to a request that was open when it was sent. Numbers of exchanges grow in
// the order of their starts, so a call is given up as soon as no older request is open any more; no
// timer is needed, and a call outside all requests never waits.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <vector>

#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

class PendingCalls {
 public:
  // Calls that wait at once; further ones are not linked.
  static constexpr size_t kMaxCalls = 65'536;

  void RequestBegins(ExchangeId request) { open_.insert(request); }
  // The calls that are this request's get their verdict: it, if it came to its proper end. So do
  // those that are nobody's now.
  void RequestEnds(ExchangeId request, bool complete, std::vector<Verdict>& verdicts);
  // The request, if there is exactly one; else 0.
  ExchangeId OnlyOpen() const { return open_.size() == 1 ? *open_.begin() : 0; }
  bool IsOpen(ExchangeId request) const { return open_.contains(request); }

  // False: there is no request that it could belong to. True: a verdict will follow.
  bool CallBegins(ExchangeId call);
  // The call still waits, and nobody was named for it.
  bool IsFree(ExchangeId call) const { return free_.contains(call); }
  // The request, open and older than the call, made the call, which is free.
  void Assign(ExchangeId call, ExchangeId request);
  // The same for a call that was assigned to another.
  void Reassign(ExchangeId call, ExchangeId request);
  // Nobody known made the call, assigned or not.
  void Refuse(ExchangeId call, std::vector<Verdict>& verdicts);
  // The request that the call was assigned to, 0 = none.
  ExchangeId AssignedTo(ExchangeId call) const;

  // Those assigned to the request.
  std::vector<ExchangeId> CallsOf(ExchangeId request) const;

  // Nothing is known any more.
  void Clear(std::vector<Verdict>& verdicts);
  size_t waiting() const { return free_.size() + assigned_.size(); }

 private:
  void GiveUp(std::vector<Verdict>& verdicts);

  absl::btree_set<ExchangeId> open_;
  absl::btree_set<ExchangeId> free_;
  absl::flat_hash_map<ExchangeId, ExchangeId> assigned_;                       // call -> request
  absl::flat_hash_map<ExchangeId, absl::InlinedVector<ExchangeId, 4>> calls_;  // request -> calls
};

}  // namespace sonde::trace
