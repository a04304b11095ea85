// SPDX-License-Identifier: Apache-2.0
// Backwards along wake-ups: who receives a response wakes whoever waits for it, perhaps through
// others; the first of them that works on a request has made the call (evidence/linking.md, TB;
// linking-2.md, KB). Forward wake-ups, from the request to the call, were right in 2-77 % once work
// queued up: they are not used.
//
// The wakes are the runtime's own (tokio's wakers, Go's ready), told by probes in it; those of the
// kernel's futexes go astray through locks. Java's are in unpark_rule.h.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class WakeRule : public LinkRule {
 public:
  struct Traits {
    RuntimeKind runtime = RuntimeKind::kNone;
    LinkMethod method = LinkMethod::kNone;
    // Tasks that send calls serve a connection, and wake each other for other reasons; and who was
    // made while a request was worked on works for that one (tokio).
    bool connection_tasks = false;
    // Who waits for a response is told before it comes (Go): who reads it wakes others, too, to
    // whom it gives the connection.
    bool awaiting_is_told = false;
    size_t max_hops = 1;  // of a wake to one that works on nothing known, and goes on waking
  };

  explicit WakeRule(const Traits& traits) : traits_(traits) {}

  LinkMethod method() const override { return traits_.method; }
  bool Serves(RuntimeKind runtime) const override { return runtime == traits_.runtime; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;
  void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  // Per process, of each kind (two generations of so many).
  static constexpr size_t kRemembered = 32'768;

 private:
  using ExecutionId = uint64_t;

  // A response that came in, and how many wakes ago.
  struct Token {
    ExchangeId call = 0;
    size_t hops = 0;
  };
  struct Process {
    PendingCalls calls;
    absl::flat_hash_set<ExchangeId> answered;              // of the open requests
    RecentMap<ExecutionId, ExchangeId> owns{kRemembered};  // the request it read last
    RecentMap<ExecutionId, ExchangeId> born_in{kRemembered};
    RecentMap<ExecutionId, Token> tokens{kRemembered};
    RecentMap<ConnectionId, ExecutionId> awaiting{kRemembered};  // awaiting_is_told
    RecentMap<ExecutionId, bool> senders{kRemembered};           // connection_tasks
  };

  bool Covers(const Execution& by) const { return by.runtime == traits_.runtime && by.id != 0; }
  Process* Find(uint32_t tgid);
  static bool IsWorkedOn(const Process& process, ExchangeId request);
  static ExchangeId WorksOn(Process& process, ExecutionId execution);
  void Woken(Process& process, const ExecutionEvent& event);

  const Traits traits_;
  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
