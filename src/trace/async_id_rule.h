// SPDX-License-Identifier: Apache-2.0
// Node: which request JavaScript works for, from the async ids that Node keeps anyway.
//
// Ids come from one growing counter. What was given out between two socket events of the main
// thread was given out in the context of that interval: the request whose bytes came in, or the
// call of a request whose response did. A call is sent under the id of the callback that sends it
// (its execution id) and that of what made it (its trigger id): the interval in which these were
// given out names the request (evidence/linking.md, tier N: 100/100 with a saturated http.Agent).
//
// What the ids cannot see is a queue that hands a freed connection to another request in the turn
// of the one before (undici). It shows when the answer is sent in the turn of a response that by
// its ids belongs to another request. Then the ids are believed less: first only where both agree,
// then not at all, and only the last call of a request, in whose turn the answer goes out, is
// linked (evidence/linking-2.md, 4: 100 % precise in all runs).
//
// A connection that several exchanges share (HTTP/2) is read and written for all at once: its
// events are nobody's. What came on a stream is a turn of its own, whose beginning is told; a call
// or an answer belongs to the turn in which nghttp2 was given it, which is told, too.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"
#include "trace/pending_calls.h"
#include "trace/recent_map.h"

namespace sonde::trace {

class AsyncIdRule : public LinkRule {
 public:
  LinkMethod method() const override { return LinkMethod::kAsyncId; }
  bool Serves(RuntimeKind runtime) const override { return runtime == RuntimeKind::kNode; }
  void OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) override;
  void OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) override;
  void OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) override;
  bool OnCallSent(const RequestFact& fact) override;
  void OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) override;
  void OnReceived(const DataEvent& event) override;
  void OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) override;

  // Intervals remembered per process: some minutes of a busy server. Older ids resolve to nothing.
  static constexpr size_t kIntervals = 65'536;
  static constexpr size_t kConnections = 16'384;
  // Of each kind remembered per process (two generations of so many).
  static constexpr size_t kStreams = 16'384;

 private:
  // Ids up to `last`, and above that of the interval before.
  struct Interval {
    uint64_t last = 0;
    ExchangeId context = 0;
  };
  struct Connection {
    ExchangeId connected_for = 0;  // in whose context connect(2) was called
    ExchangeId request = 0;        // a server's: the last one read
    ExchangeId call = 0;           // a client's: the last one sent ...
    ExchangeId claimed = 0;        // ... and the request its ids name
    bool is_shared = false;        // by several exchanges at once
  };
  using Stream = std::pair<ConnectionId, uint64_t>;
  struct SharedCall {
    ExchangeId id = 0;  // once it is sent
    ExchangeId caller = 0;
  };
  // What began it: a request or no bytes at all; the response to a call; what came on one stream of
  // a shared connection; bytes for many, or for nobody known.
  enum class Turn : uint8_t { kOther, kResponse, kStream, kForMany };
  struct Process {
    PendingCalls calls;
    absl::flat_hash_set<ExchangeId> unanswered;  // of the open requests
    std::deque<Interval> intervals;
    RecentMap<ConnectionId, Connection> connections{kConnections};
    RecentMap<Stream, SharedCall> called{kStreams};
    RecentMap<Stream, ExchangeId> served{kStreams};  // the request that came on it
    uint64_t counter = 0;
    uint64_t execution = 0;  // at the last event
    uint64_t trigger = 0;
    ExchangeId current = 0;    // context of the interval that runs
    ExchangeId turn = 0;       // context in which the turn began
    ExchangeId turn_call = 0;  // the call whose response began it, 0 = it began otherwise
    Turn began = Turn::kOther;
    // How the ids fared against the answers, of late.
    uint32_t agreed = 0;
    uint32_t contradicted = 0;
    absl::flat_hash_set<ExchangeId> confirmed;  // calls, by the turn of the answer
  };
  enum class Trust : uint8_t { kIds, kBoth, kTurns };

  Process* Find(uint32_t tgid);
  static void Advance(Process& process, uint64_t counter);
  static void BeginTurnOf(Process& process, ConnectionId of);
  static void BeginTurnOfStream(Process& process, const ExecutionEvent& event);
  static void BeginNobodysTurn(Process& process, Turn began);
  static ExchangeId Resolve(const Process& process, uint64_t id);
  static ExchangeId IfUnanswered(const Process& process, ExchangeId request);
  static ExchangeId Caller(const Process& process, uint64_t execution, uint64_t trigger);
  static bool OnSharedCall(Process& process, const RequestFact& fact);
  static Trust TrustIn(const Process& process);
  static void OnIds(Process& process, const ExecutionEvent& event);
  static void JudgeTurn(Process& process, ExchangeId request, std::vector<Verdict>& verdicts);

  absl::flat_hash_map<uint32_t, Process> processes_;
};

}  // namespace sonde::trace
