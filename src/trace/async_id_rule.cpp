// SPDX-License-Identifier: Apache-2.0
#include "trace/async_id_rule.h"

#include <algorithm>  // IWYU pragma: keep
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {
namespace {

// Only the main thread's ids are read.
bool IsMain(const Execution& by) { return by.runtime == RuntimeKind::kNode && by.tid == by.tgid; }

}  // namespace

AsyncIdRule::Process* AsyncIdRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

void AsyncIdRule::Advance(Process& process, uint64_t counter) {
  if (counter <= process.counter) return;
  process.counter = counter;
  if (!process.intervals.empty() && process.intervals.back().context == process.current) {
    process.intervals.back().last = counter;
    return;
  }
  process.intervals.push_back({counter, process.current});
  if (process.intervals.size() > kIntervals) process.intervals.pop_front();
}

ExchangeId AsyncIdRule::IfUnanswered(const Process& process, ExchangeId request) {
  return process.unanswered.contains(request) ? request : 0;
}

void AsyncIdRule::BeginNobodysTurn(Process& process, Turn began) {
  process.current = process.turn = process.turn_call = 0;
  process.began = began;
}

// Bytes of the connection began it.
void AsyncIdRule::BeginTurnOf(Process& process, ConnectionId of) {
  const Connection* connection = process.connections.Find(of);
  if (connection == nullptr || (connection->call == 0 && connection->request == 0)) {
    return BeginNobodysTurn(process, Turn::kForMany);
  }
  process.turn_call = connection->call;
  process.began = connection->call != 0 ? Turn::kResponse : Turn::kOther;
  process.turn = process.current =
      IfUnanswered(process, connection->call != 0 ? connection->claimed : connection->request);
}

void AsyncIdRule::BeginTurnOfStream(Process& process, const ExecutionEvent& event) {
  BeginNobodysTurn(process, Turn::kForMany);
  // Within something that runs already, what promises set off waits until all streams were given.
  if (event.from != 0) return;
  const Stream stream{event.connection, event.to};
  if (const ExchangeId* request = process.served.Find(stream)) {
    process.turn = *request;
  } else if (const SharedCall* call = process.called.Find(stream)) {
    process.turn = call->caller;
    process.turn_call = call->id;
  } else {
    return;
  }
  process.turn = process.current = IfUnanswered(process, process.turn);
  process.began = Turn::kStream;
}

// The request in whose context the id was given out, 0 if in nobody's, or if it is answered by now.
// 0, too: the id is none, or older than what is remembered.
ExchangeId AsyncIdRule::Resolve(const Process& process, uint64_t id) {
  const auto& intervals = process.intervals;
  if (id == 0 || intervals.empty()) return 0;
  const auto found = std::ranges::lower_bound(intervals, id, {}, &Interval::last);
  if (found == intervals.end() || found == intervals.begin()) return 0;
  return IfUnanswered(process, found->context);
}

// Who makes a call, by the ids under which it is made and the turn.
ExchangeId AsyncIdRule::Caller(const Process& process, uint64_t execution, uint64_t trigger) {
  // The ids may be those of the connection, which another request asked for.
  if (process.began == Turn::kStream) return IfUnanswered(process, process.turn);
  const bool in_response = process.began == Turn::kResponse;
  ExchangeId request = Resolve(process, trigger);
  // In the turn of a response the connection may have been handed to a call that waited for it:
  // then who triggered it counts alone, though it may be nobody, or have come before sonde.
  if (request == 0 && !(in_response && trigger != 0)) request = Resolve(process, execution);
  if (request == 0 && !in_response) request = IfUnanswered(process, process.turn);
  return request;
}

AsyncIdRule::Trust AsyncIdRule::TrustIn(const Process& process) {
  const uint32_t judged = process.agreed + process.contradicted;
  if (process.contradicted * 20 < judged || process.contradicted == 0) return Trust::kIds;
  return process.contradicted * 2 < judged ? Trust::kBoth : Trust::kTurns;
}

void AsyncIdRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) {
  if (!IsMain(event.by)) return;
  Process& process = processes_[event.by.tgid];
  switch (event.change) {
    case ExecutionChange::kAsyncIds:
      Advance(process, event.counter);
      return OnIds(process, event);
    case ExecutionChange::kEnded:
      Advance(process, event.counter);
      return BeginTurnOf(process, event.connection);
    case ExecutionChange::kConnects: {
      Advance(process, event.counter);
      const ExchangeId resolved = Resolve(process, event.from);
      process.connections.Put(event.connection,
                              {.connected_for = resolved != 0 ? resolved : process.turn});
      return;
    }
    case ExecutionChange::kStream:
      Advance(process, event.counter);
      return BeginTurnOfStream(process, event);
    case ExecutionChange::kCalls:
      process.turn_call = 0;
      // What runs then may have an id of whoever asked for the connection.
      if (process.began == Turn::kForMany) return;
      process.called.Put({event.connection, event.counter},
                         {.caller = Caller(process, event.from, event.to)});
      return;
    case ExecutionChange::kAnswers: {
      const ExchangeId* request = process.served.Find({event.connection, event.counter});
      if (request == nullptr || process.unanswered.erase(*request) == 0) return;
      return JudgeTurn(process, *request, verdicts);
    }
    default:
      return;
  }
}

void AsyncIdRule::OnIds(Process& process, const ExecutionEvent& event) {
  const Connection* connection = process.connections.Find(event.connection);
  // A timer, or bytes that are not looked into: whose turn this is now is not known.
  if (event.connection == 0) return BeginNobodysTurn(process, Turn::kOther);
  if (connection != nullptr && connection->is_shared) {
    return BeginNobodysTurn(process, Turn::kForMany);
  }
  process.execution = event.from;
  process.trigger = event.to;
  const ExchangeId resolved = process.began == Turn::kStream ? 0 : Resolve(process, event.from);
  process.current = resolved != 0 ? resolved : IfUnanswered(process, process.turn);
}

void AsyncIdRule::OnReceived(const DataEvent& event) {
  if (!IsMain(event.who)) return;
  Process* process = Find(event.who.tgid);
  if (process != nullptr) BeginTurnOf(*process, event.connection);
}

void AsyncIdRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!IsMain(fact.last_by)) return;
  Process& process = processes_[fact.last_by.tgid];
  process.calls.RequestBegins(fact.id);
  process.unanswered.insert(fact.id);
  if (fact.stream != 0) {
    process.connections.Put(fact.connection, {.is_shared = true});
    process.served.Put({fact.connection, fact.stream}, fact.id);
    return BeginNobodysTurn(process, Turn::kForMany);
  }
  process.connections.Put(fact.connection, {.request = fact.id});
  process.turn = process.current = fact.id;
  process.turn_call = 0;
  process.began = Turn::kOther;
}

// It was made in an earlier turn, and is sent with all others now.
bool AsyncIdRule::OnSharedCall(Process& process, const RequestFact& fact) {
  process.connections.Put(fact.connection, {.is_shared = true});
  BeginNobodysTurn(process, Turn::kForMany);
  const Stream stream{fact.connection, fact.stream};
  const SharedCall* told = process.called.Find(stream);
  const ExchangeId caller = told == nullptr ? 0 : told->caller;
  process.called.Put(stream, {.id = fact.id, .caller = caller});
  if (!process.calls.CallBegins(fact.id)) return false;
  if (process.calls.IsOpen(caller) && caller < fact.id) process.calls.Assign(fact.id, caller);
  return true;
}

bool AsyncIdRule::OnCallSent(const RequestFact& fact) {
  if (!IsMain(fact.first_by)) return false;
  Process* process = Find(fact.first_by.tgid);
  if (process == nullptr) return false;
  if (fact.stream != 0) return OnSharedCall(*process, fact);
  const Connection* known = process->connections.Find(fact.connection);
  if (known != nullptr && known->call == 0) {
    // The connection was made: a turn of its own, for whoever asked.
    process->turn = known->connected_for;
    process->began = Turn::kOther;
  }
  const ExchangeId request = Caller(*process, process->execution, process->trigger);
  process->current = process->turn != 0 ? IfUnanswered(*process, process->turn) : request;
  process->turn_call = 0;
  process->connections.Put(fact.connection, {.call = fact.id, .claimed = request});
  if (!process->calls.CallBegins(fact.id)) return false;
  if (request != 0 && request < fact.id) process->calls.Assign(fact.id, request);
  return true;
}

void AsyncIdRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || process->unanswered.erase(fact.id) == 0) return;
  if (IsMain(fact.by)) JudgeTurn(*process, fact.id, verdicts);
}

// The answer goes out in the turn of a response: that call was the request's.
void AsyncIdRule::JudgeTurn(Process& process, ExchangeId request, std::vector<Verdict>& verdicts) {
  const ExchangeId call = process.turn_call;
  process.turn_call = 0;
  if (call == 0 || call < request) return;
  const ExchangeId claimed = process.calls.AssignedTo(call);
  if (claimed == 0 && !process.calls.IsFree(call)) return;
  constexpr uint32_t kMemory = 1024;
  if (process.agreed + process.contradicted >= kMemory) {
    process.agreed /= 2;
    process.contradicted /= 2;
  }
  if (claimed == request) {
    ++process.agreed;
    process.confirmed.insert(call);
  } else if (claimed != 0) {
    ++process.contradicted;
    if (TrustIn(process) != Trust::kTurns) return process.calls.Refuse(call, verdicts);
    process.calls.Reassign(call, request);
    process.confirmed.insert(call);
  } else {
    process.calls.Assign(call, request);
    process.confirmed.insert(call);
  }
}

void AsyncIdRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  process->unanswered.erase(fact.id);
  const size_t before = verdicts.size();
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
  const bool ids_suffice = TrustIn(*process) == Trust::kIds;
  for (size_t i = before; i < verdicts.size(); ++i) {
    const bool confirmed = process->confirmed.erase(verdicts[i].call) > 0;
    if (!confirmed && !ids_suffice) verdicts[i].server = 0;
  }
}

void AsyncIdRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
