// SPDX-License-Identifier: Apache-2.0
// Event loops written in C (nginx): a thread works for the connection whose bytes it read last. A
// call that it sends then is that request's; what it reads from the call's connection is work for
// the same request again.
//
// That alone is wrong as soon as something queues, so it has to be borne out backwards: the answer
// goes out right after the response was read, on the same thread, with nothing read in between; or
// another call of the same request does, of which the same is true. Calls of which it is not, are
// not linked; and a process in which it once was the contrary, or which wrote two calls or two
// answers after reading once, is no such loop (HAProxy reads from several connections before it
// writes to any): the rule is off there for good.
//
// On a shared connection (HTTP/2) it reads several requests at once, and works for one after the
// other: a call is of one of them, and the answer tells which, unless the response to another such
// call was read by then, too.
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
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class SocketRule : public GatedRule {
 public:
  explicit SocketRule(MetricRegistry& metrics);

  LinkMethod method() const override { return LinkMethod::kSocket; }
  bool Serves(RuntimeKind runtime) const override { return IsPlain(runtime); }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;
  void OnReceived(const DataEvent& event) override;

  static constexpr size_t kConnections = 16'384;  // per process, two generations
  // Requests that are read together; of further ones nothing is known.
  static constexpr size_t kMaxCandidates = 128;

 private:
  // Requests of which it is one. None: not known, or none.
  using Candidates = absl::InlinedVector<ExchangeId, 2>;
  struct Connection {
    Candidates connected_for = {};
    ExchangeId request = 0;   // a server's: the last one read
    ExchangeId call = 0;      // a client's: the last one sent ...
    Candidates claimed = {};  // ... and for whom
    bool is_shared = false;   // a server's, by several requests at once
  };
  struct Thread {
    Candidates works_for;
    ConnectionId reads = 0;    // shared; it did nothing about what it read there last yet
    ExchangeId turn_call = 0;  // the call whose response it read last, and did nothing about yet
    size_t calls = 0;          // since it read last
    size_t may_call = 1;       // requests that it read last
    bool answered = false;

    void BeginTurn();
  };
  struct Process {
    PendingCalls calls;
    bool unsafe = false;  // the gate closes before the next verdict
    absl::flat_hash_set<ExchangeId> unanswered;
    absl::flat_hash_set<ExchangeId> borne_out;                // calls
    absl::flat_hash_map<ExchangeId, ExchangeId> followed_by;  // call -> the call sent in its turn
    // Calls of one of several requests, whose responses have begun.
    absl::flat_hash_map<ExchangeId, Candidates> heard;
    RecentMap<ConnectionId, Connection> connections{kConnections};
    absl::flat_hash_map<uint32_t, Thread> threads;
  };

  // What has a runtime that is read has a better rule.
  static bool IsPlain(RuntimeKind runtime) {
    return runtime == RuntimeKind::kNone || runtime == RuntimeKind::kRuby;
  }
  static bool Covers(const Execution& by) { return by.tgid != 0 && IsPlain(by.runtime); }
  Process* Find(uint32_t tgid);
  // Of these those that a call sent now may belong to.
  static Candidates Unanswered(const Process& process, const Candidates& requests);
  static void BearOut(Process& process, ExchangeId call, ExchangeId request);
  static bool IsBorneOut(Process& process, ExchangeId call);
  void ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
