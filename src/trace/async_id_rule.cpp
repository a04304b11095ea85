// SPDX-License-Identifier: Apache-2.0
#include "trace/async_id_rule.h"

#include <algorithm>  // IWYU pragma: keep
#include <cstddef>
#include <cstdint>
#include <optional>
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

void AsyncIdRule::BeginNobodysTurn(Process& process) {
  process.current = process.turn = process.turn_call = 0;
  process.turn_is_response = false;
}

// The request in whose context the id was given out, 0 if in nobody's, or if it is answered by now.
// Nothing: the id is none, or older than what is remembered.
std::optional<ExchangeId> AsyncIdRule::Context(const Process& process, uint64_t id) {
  const auto& intervals = process.intervals;
  if (id == 0 || intervals.empty()) return std::nullopt;
  const auto found = std::ranges::lower_bound(intervals, id, {}, &Interval::last);
  if (found == intervals.end() || found == intervals.begin()) return std::nullopt;
  return IfUnanswered(process, found->context);
}

AsyncIdRule::Trust AsyncIdRule::TrustIn(const Process& process) {
  const uint32_t judged = process.agreed + process.contradicted;
  if (process.contradicted * 20 < judged || process.contradicted == 0) return Trust::kIds;
  return process.contradicted * 2 < judged ? Trust::kBoth : Trust::kTurns;
}

void AsyncIdRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& /*verdicts*/) {
  if (!IsMain(event.by)) return;
  if (event.change != ExecutionChange::kAsyncIds && event.change != ExecutionChange::kConnects) {
    return;
  }
  Process& process = processes_[event.by.tgid];
  Advance(process, event.counter);
  if (event.change == ExecutionChange::kConnects) {
    const ExchangeId resolved = Resolve(process, event.from);
    process.connections.Put(event.connection,
                            {.connected_for = resolved != 0 ? resolved : process.turn});
    return;
  }
  const Connection* connection = process.connections.Find(event.connection);
  // A timer, or bytes that are not looked into: whose turn this is now is not known.
  if (event.connection == 0 || (connection != nullptr && connection->is_shared)) {
    BeginNobodysTurn(process);
    return;
  }
  process.execution = event.from;
  process.trigger = event.to;
  const ExchangeId resolved = Resolve(process, event.from);
  process.current = resolved != 0 ? resolved : IfUnanswered(process, process.turn);
}

void AsyncIdRule::OnReceived(const DataEvent& event) {
  if (!IsMain(event.who)) return;
  Process* process = Find(event.who.tgid);
  if (process == nullptr) return;
  const Connection* connection = process->connections.Find(event.connection);
  if (connection != nullptr && connection->is_shared) return BeginNobodysTurn(*process);
  process->turn_call = connection == nullptr ? 0 : connection->call;
  process->turn_is_response = process->turn_call != 0;
  if (connection == nullptr) {
    process->turn = 0;
  } else {
    process->turn =
        IfUnanswered(*process, connection->call != 0 ? connection->claimed : connection->request);
  }
  process->current = process->turn;
}

void AsyncIdRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!IsMain(fact.last_by)) return;
  Process& process = processes_[fact.last_by.tgid];
  if (fact.stream != 0) {
    process.connections.Put(fact.connection, {.is_shared = true});
    BeginNobodysTurn(process);
    return;
  }
  process.calls.RequestBegins(fact.id);
  process.unanswered.insert(fact.id);
  process.connections.Put(fact.connection, {.request = fact.id});
  process.turn = process.current = fact.id;
  process.turn_call = 0;
  process.turn_is_response = false;
}

bool AsyncIdRule::OnCallSent(const RequestFact& fact) {
  if (!IsMain(fact.first_by)) return false;
  Process* process = Find(fact.first_by.tgid);
  if (process == nullptr) return false;
  if (fact.stream != 0) {
    process->connections.Put(fact.connection, {.is_shared = true});
    BeginNobodysTurn(*process);
    return false;
  }
  const Connection* known = process->connections.Find(fact.connection);
  if (known != nullptr && known->call == 0) {
    // The connection was made: a turn of its own, whose beginning shows nowhere, for whoever asked.
    process->turn = known->connected_for;
    process->turn_is_response = false;
  }
  const ExchangeId turn = IfUnanswered(*process, process->turn);
  const std::optional<ExchangeId> triggered = Context(*process, process->trigger);
  ExchangeId request = triggered.value_or(0);
  // In the turn of a response the connection may have been handed to a call that waited for it:
  // then who triggered it counts alone, though it may be nobody.
  if (request == 0 && !(process->turn_is_response && triggered)) {
    request = Resolve(*process, process->execution);
  }
  if (request == 0 && !process->turn_is_response) request = turn;
  if (process->turn != 0) {
    process->current = turn;
  } else {
    process->current = request;
  }
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
