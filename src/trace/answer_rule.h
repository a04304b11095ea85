// SPDX-License-Identifier: Apache-2.0
// Who answers a request has worked for it: the call of an execution (Python context, goroutine,
// virtual thread, task of HAProxy) belongs to the request that the same execution, or the one that
// made it, answers next.
//
// Found backwards, when the answer is sent, so it does not matter what else the thread did
// meanwhile, nor in which order pools and queues passed the work on (evidence/linking.md: 100/100
// on asyncio with saturated pools, where the thread's last request is right in 1 %). For a call
// that another execution writes (Go's writeLoop) the kernel side names who waits for the response.
//
// Of a connection that several exchanges share (HTTP/2) one execution may read and write for all.
// Where the runtime tells who works for a stream, and whose call one is (Go), that counts, from
// then on; who moved the bytes does not.
//
// Python's threads and greenlets that are in no task's context are such executions, too: until one
// of them is seen with requests of two connections, as the thread of a loop is.
//
// Python's pools may serve (grpcio's): a piece of work is an execution, too, of which neither the
// thread nor its context is one.
//
// An execution that was made before the request was read did not work for it alone (a worker of a
// pool, a background task): its maker's answers say nothing about it. One that was made since, and
// makes the one that answers (asyncio.wait_for around the send), has worked for it until then, with
// all that it made before.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"
#include "trace/recent_map.h"
#include "trace/told_streams.h"

namespace sonde::trace {

class AnswerRule : public GatedRule {
 public:
  struct Traits {
    RuntimeKind runtime = RuntimeKind::kNone;
    LinkMethod method = LinkMethod::kNone;
    // Executions read their requests themselves, one at a time: one that is seen with two is no
    // such thing (a thread of an event loop), and the rule is off in its process for good. And who
    // reads a request answers it.
    bool one_request_each = false;
    // A maker is told when it makes, not when it is met: the moment is that of the making.
    bool making_is_told = false;
    // An execution makes no call for a request that it answers already: its number has come again.
    bool answers_last = false;
    // The first call on a connection is made by who began to connect it: another may write it.
    bool connector_calls = false;
    // Who works for a stream is told: who answers on one is the connection's writer.
    bool streams_are_told = false;
    // Of a caller its maker is told, of makers theirs only on demand. Later numbers are larger. Who
    // sends may be a writer that a call made for its connection, which others use now; who receives
    // the response, too, is none.
    bool makers_on_demand = false;
  };

  AnswerRule(const Traits& traits, MetricRegistry& metrics);

  LinkMethod method() const override { return traits_.method; }
  bool Serves(RuntimeKind runtime) const override { return runtime == traits_.runtime; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;
  void OnReceived(const DataEvent& event) override;
  std::vector<uint32_t> TakeDemands() override { return std::exchange(demands_, {}); }

  // Per process: executions remembered with their makers (two generations of so many).
  static constexpr size_t kMade = 32'768;
  static constexpr size_t kConnecting = 16'384;  // the same of connections
  // How far makers are followed: task of a task of a task ...
  static constexpr size_t kChain = 8;

 private:
  using ExecutionId = uint64_t;

  // An execution that may answer, and since when the one below it in the chain exists.
  struct Link {
    ExecutionId execution = 0;
    uint64_t since_ns = 0;
  };
  using Chain = absl::InlinedVector<Link, 4>;
  struct FreeCall {
    Chain chain;
    // The first of the chain has made the call; else it has sent it, perhaps for another.
    bool is_caller = true;
    // Who sent it, if the first of the chain stays on one thread: another that has its number is
    // another.
    uint32_t tid = 0;
  };
  struct Maker {
    ExecutionId execution = 0;
    uint64_t made_ns = 0;
  };
  struct Open {
    RequestFact read;
    uint64_t since_ns = 0;     // it was read, or is worked for by the one that was told
    ExecutionId answerer = 0;  // 0: not answered yet, and nobody was told
    uint32_t answerer_tid = 0;
    bool disputed = false;  // two were told
  };
  struct Process {
    PendingCalls calls;
    absl::flat_hash_map<ExchangeId, Open> requests;
    RecentMap<ExecutionId, Maker> made{kMade};
    // Free calls by every execution whose answer would tell. Dead entries are left behind and are
    // swept when they are many.
    absl::flat_hash_map<ExecutionId, absl::InlinedVector<ExchangeId, 2>> waiting;
    absl::flat_hash_map<ExchangeId, FreeCall> chains;
    absl::flat_hash_map<ConnectionId, ExchangeId> last_on;  // Go: call of each connection
    absl::flat_hash_map<ExecutionId, ExchangeId>
        answering;  // open requests that are being answered
    // What it read last, of one_request_each and threads and greenlets of Python.
    absl::flat_hash_map<ExecutionId, ExchangeId> reading;
    RecentMap<ExecutionId, bool> loops{kMade};  // of those of Python
    ToldStreams streams;                        // streams_are_told
    // connector_calls: by whom, until something was sent.
    RecentMap<ConnectionId, ExecutionId> connecting{kConnecting};
    bool demanded = false;
  };

  Process* Find(uint32_t tgid);
  static void FindLoop(Process& process, const RequestFact& fact);
  static void Forget(Process& process, ExecutionId execution);
  void OnStream(const ExecutionEvent& event, std::vector<Verdict>& verdicts);
  void Answers(Process& process, ExchangeId request, ExecutionId execution) const;
  void MakersAnswer(Process& process, ExchangeId request, const Chain& chain) const;
  void ClaimCalls(Process& process, ExchangeId request, ExecutionId execution,
                  uint64_t until_ns) const;
  void Serves(Process& process, ExchangeId request, const ToldStreams::Worker& worker,
              std::vector<Verdict>& verdicts) const;
  Chain ChainOf(Process& process, ExecutionId execution, uint64_t now_ns);
  ExecutionId CallerOf(Process& process, const RequestFact& call) const;
  void Wait(Process& process, ExchangeId call, FreeCall free) const;
  bool Claim(Process& process, ExchangeId call, ExchangeId request, ExecutionId answerer) const;
  static bool LacksMaker(const Process& process, ExchangeId call, ExecutionId reader);
  static void Sweep(Process& process);
  void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  const Traits traits_;
  absl::flat_hash_map<uint32_t, Process> processes_;
  std::vector<uint32_t> demands_;
};

}  // namespace sonde::trace
