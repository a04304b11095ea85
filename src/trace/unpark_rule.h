// SPDX-License-Identifier: Apache-2.0
// Java's threads, backwards along unparks: who receives a response gives it to a worker of the
// client, which wakes the thread that waits for it; or a pool's worker that called by itself wakes
// who waits for its result. That thread works on the request that it read last (WakeRule does the
// same where work is not a thread: tokio, Go).
//
// Unparks have other reasons, too. A thread that leaves a lock wakes the next that waits for it, of
// which the client of JDK 21 and later has many (1.5 % wrong links before this was seen); and
// workers wake each other for more work. Who waits for a response has done nothing, and was not
// woken, since the call was sent; a lock is waited for much shorter. If two such are woken for one
// response, it is nobody's.
//
// Not for carriers of virtual threads, which are woken for any of them: a thread that is seen with
// two numbers switches the rule off in its process, and until one was seen twice with the same
// number (JDK 21 and later) nothing is said.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class UnparkRule : public GatedRule {
 public:
  explicit UnparkRule(MetricRegistry& metrics);

  LinkMethod method() const override { return LinkMethod::kWakeup; }
  bool Serves(RuntimeKind runtime) const override { return runtime == RuntimeKind::kJava; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;

  // Per process, of each kind (two generations of so many).
  static constexpr size_t kRemembered = 32'768;
  static constexpr size_t kMaxHops = 2;  // of a wake to one that works on nothing known

 private:
  using ThreadId = uint64_t;

  // A response that came in, and how many wakes ago.
  struct Token {
    ExchangeId call = 0;
    size_t hops = 0;
    bool own = false;     // who received it had sent the call, too: a pool's worker
    bool passed = false;  // to one that had waited, of whom nothing else is known
  };
  struct Sent {
    ThreadId by = 0;
    uint64_t at_ns = 0;
  };
  struct Process {
    PendingCalls calls;
    absl::flat_hash_set<ExchangeId> answered;           // of the open requests
    RecentMap<ThreadId, ExchangeId> owns{kRemembered};  // the request it read last
    RecentMap<ThreadId, Token> tokens{kRemembered};
    RecentMap<ExchangeId, Sent> sent{kRemembered};
    RecentMap<ThreadId, uint64_t> active{kRemembered};  // when it last did something, or was woken
    RecentMap<ThreadId, bool> helpers{kRemembered};     // whom receivers of responses woke
    // Calls that are a request's by the word of a pool's worker: one that called by itself, or that
    // waited for the response.
    RecentMap<ExchangeId, bool> by_caller{kRemembered};
    RecentMap<ExchangeId, ThreadId> by_waiter{kRemembered};
    absl::flat_hash_set<ExchangeId> calls_itself;        // open requests whose own thread called
    RecentMap<ThreadId, uint64_t> numbers{kRemembered};  // Execution::id
    bool has_platform_threads = false;                   // one was seen twice with its number
  };

  Process* Find(uint32_t tgid);
  static bool IsCarrier(Process& process, const Execution& by);
  static ExchangeId WorksOn(Process& process, ThreadId thread);
  static bool HasWaited(Process& process, ThreadId thread, ExchangeId call);
  static void RefuseCallsOf(Process& process, ExchangeId request, std::vector<Verdict>& verdicts);
  static bool Woken(Process& process, ThreadId by, ThreadId thread, std::vector<Verdict>& verdicts);
  static void WokenByWorker(Process& process, ThreadId worker, ThreadId thread, ExchangeId call,
                            std::vector<Verdict>& verdicts);
  void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
