// SPDX-License-Identifier: Apache-2.0
// Ruby: workers behind a thread that reads for all (Puma's reactor): a call belongs to the request
// that its thread answers next. Of programs about which nothing is known that is not certain: a
// pool that takes the parts of several requests in turn looks the same while there is a backlog.
//
// Found backwards, when the answer begins: what the worker has sent since it last answered, after
// the request was read, and waited for. What shows that its threads are no such workers switches
// the rule off in the process for good: a reader that calls or answers itself (a loop, a
// work-stealing runtime), two calls at once, a request read in the middle of a call, or a call that
// is older than the request answered next, which was made for something else.
#pragma once

#include <absl/container/flat_hash_map.h>
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
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class WorkerRule : public GatedRule {
 public:
  explicit WorkerRule(MetricRegistry& metrics);

  LinkMethod method() const override { return LinkMethod::kWorker; }
  bool Serves(RuntimeKind runtime) const override { return runtime == RuntimeKind::kRuby; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;

  static constexpr size_t kThreads = 16'384;  // per process, two generations
  // Since a thread last answered; further ones stay unlinked.
  static constexpr size_t kMaxCalls = 4096;

 private:
  struct Call {
    ExchangeId id = 0;
    bool waited = false;  // the thread received the response, and had sent nothing in between
  };
  struct Thread {
    bool reads = false;                  // requests that others answer
    bool works = false;                  // calls, or answers
    bool answered = false;               // a request that was seen
    ExchangeId own = 0;                  // the request it read itself last
    absl::InlinedVector<Call, 4> calls;  // since it last answered, or read a request
  };
  struct Process {
    PendingCalls calls;
    bool unsafe = false;  // the gate closes before the next verdict
    absl::flat_hash_map<ExchangeId, uint32_t>
        reader;  // of the open requests, until they are answered
    RecentMap<uint32_t, Thread> threads{kThreads};
  };

  bool Covers(const Execution& by) const { return by.tgid != 0 && Serves(by.runtime); }
  Process* Find(uint32_t tgid);
  static Thread& Of(Process& process, uint32_t tid);
  static void Forget(Process& process, Thread& thread, std::vector<Verdict>& verdicts);
  static void AnswersForReader(Process& process, Thread& worker, ExchangeId request,
                               std::vector<Verdict>& verdicts);
  void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
