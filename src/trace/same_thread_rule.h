// SPDX-License-Identifier: Apache-2.0
// Thread per request: a call belongs to the one request that its thread has read and not finished.
//
// Certain only where threads do one thing at a time, which is learnt by its contrary: once any
// thread of a process has held two open requests, the process is a loop or a work-stealing runtime
// and the rule is off there for good (evidence/linking.md, 6: per-thread checks alone were 4-66 %
// precise in Go, 21-51 % on tokio). A thread that neither calls nor answers, but reads for others,
// shows nothing (worker_rule.h).
//
// Java's servers have handlers that return before their request is answered, beside others that
// block: a thread that leaves a request behind may wait for the next in a queue. From then on a
// call is its request's only if the thread was seen to be woken, as queues do and loops do not, and
// received the response itself with nothing sent in between. A response that comes to it after
// it has read another request shows a loop.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/recent_map.h"

namespace sonde::trace {

// Memory: one entry per thread that has an open request.
class SameThreadRule : public GatedRule {
 public:
  explicit SameThreadRule(MetricRegistry& metrics);

  LinkMethod method() const override { return LinkMethod::kThread; }
  bool Serves(RuntimeKind runtime) const override {
    return Covers({.tgid = 1, .runtime = runtime});
  }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;

  // Calls of one request that are remembered; further ones stay unlinked.
  static constexpr size_t kMaxCallsPerRequest = 4096;
  // Threads, and calls that were left behind, of all processes (two generations).
  static constexpr size_t kRemembered = 32'768;

  size_t threads() const { return threads_.size(); }

 private:
  struct Call {
    ExchangeId id = 0;
    uint64_t by =
        0;  // Execution::id: a call of another context than the answer's is not the request's
    bool waited = false;  // the thread received the response, and had sent nothing in between
  };
  struct Thread {
    absl::InlinedVector<ExchangeId, 1> open;  // read and not ended; the last one is `connection`'s
    ConnectionId connection = 0;
    bool linkable =
        true;  // false: what this thread works on is not certain until it has nothing open
    bool takes_calls = true;             // false: it answered somebody else's request in between
    bool answered = false;               // this thread began the response to the last of `open`
    uint64_t answered_by = 0;            // Execution::id
    absl::InlinedVector<Call, 4> calls;  // sent for the last of `open`
  };
  using ThreadKey = uint64_t;
  enum class Role : uint8_t { kWorks, kReads };  // calls or answers; held two requests and did not
  static ThreadKey KeyOf(const Execution& by) { return uint64_t{by.tgid} << 32 | by.tid; }

  static bool Covers(const Execution& by);
  bool Leaves(const Execution& by, Thread& thread, std::vector<Verdict>& verdicts);
  Role* RoleOf(const Execution& by);
  bool OnlyReads(const Execution& by);
  void Works(const Execution& by);
  bool IsLoop(uint32_t tgid, std::vector<Verdict>& verdicts);
  void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) override;
  static void ReleaseCalls(Thread& thread, std::vector<Verdict>& verdicts);

  absl::flat_hash_map<ThreadKey, Thread> threads_;
  absl::flat_hash_set<uint32_t> leaving_;  // processes whose threads left requests behind
  absl::flat_hash_set<uint32_t> loops_;    // processes whose gate closes before the next verdict
  absl::flat_hash_map<uint32_t, RecentMap<uint32_t, Role>> roles_;  // of each process's threads
  RecentMap<ThreadKey, bool> woken_{kRemembered};
  RecentMap<ExchangeId, ThreadKey> left_{kRemembered};
};

}  // namespace sonde::trace
