// SPDX-License-Identifier: Apache-2.0
#include "trace/wake_rule.h"

#include <cstdint>
#include <vector>

#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/link_rule.h"

namespace sonde::trace {

WakeRule::Process* WakeRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

bool WakeRule::IsWorkedOn(const Process& process, ExchangeId request) {
  return process.calls.IsOpen(request) && !process.answered.contains(request);
}

// The open request that the execution read, or was made for; 0 = none.
ExchangeId WakeRule::WorksOn(Process& process, ExecutionId execution) {
  // Who has read requests works for the last of them, if for any.
  if (const ExchangeId* owned = process.owns.Find(execution)) {
    return IsWorkedOn(process, *owned) ? *owned : 0;
  }
  const ExchangeId* born = process.born_in.Find(execution);
  return born != nullptr && IsWorkedOn(process, *born) ? *born : 0;
}

void WakeRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& /*verdicts*/) {
  const Execution& by = fact.last_by;
  if (!Covers(by)) return;
  Process& process = processes_[by.tgid];
  process.owns.Put(by.id, fact.id);
  process.calls.RequestBegins(fact.id);
}

void WakeRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsOpen(fact.id)) return;
  process->answered.insert(fact.id);
}

void WakeRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  process->answered.erase(fact.id);
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
}

bool WakeRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  // Whose response it is that a shared connection received is not known when it wakes somebody.
  if (!Covers(by) || fact.stream != 0) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr) return false;
  const ExecutionId sender = by.id;
  process->tokens.Erase(sender);
  // It reads requests and sends calls itself: then they are its own.
  const ExchangeId* owned = process->owns.Find(sender);
  if (owned == nullptr) process->senders.Put(sender, true);
  if (!process->calls.CallBegins(fact.id)) return false;
  if (owned != nullptr && IsWorkedOn(*process, *owned)) process->calls.Assign(fact.id, *owned);
  return true;
}

void WakeRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& /*verdicts*/) {
  if (!Covers(fact.by)) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsFree(fact.id)) return;
  if (!traits_.awaiting_is_told) {
    process->tokens.Put(fact.by.id, {.call = fact.id, .hops = 0});
    return;
  }
  const ExecutionId* awaits = process->awaiting.Find(fact.connection);
  if (awaits == nullptr) return;
  process->tokens.Put(*awaits, {.call = fact.id, .hops = 1});
  process->awaiting.Erase(fact.connection);
}

void WakeRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& /*verdicts*/) {
  if (event.by.runtime != traits_.runtime) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  if (event.change == ExecutionChange::kMade) {
    if (!traits_.connection_tasks) return;
    const bool sender = process->senders.Find(event.from) != nullptr;
    const ExchangeId request = sender ? 0 : WorksOn(*process, event.from);
    if (request == 0) return;
    // It sends its calls itself, on its own thread, and serves no connection.
    const bool blocks = event.counter != 0;
    (blocks ? process->owns : process->born_in).Put(event.to, request);
  } else if (event.change == ExecutionChange::kAwaited) {
    process->tokens.Erase(event.to);  // it has begun something new
    if (traits_.awaiting_is_told) process->awaiting.Put(event.connection, event.to);
  } else if (event.change == ExecutionChange::kWoken ||
             event.change == ExecutionChange::kWokenByValue) {
    Woken(*process, event);
  }
}

void WakeRule::Woken(Process& process, const ExecutionEvent& event) {
  // Who works on a request gives work to a pool's goroutine: what that did before is over.
  if (!traits_.connection_tasks && WorksOn(process, event.from) != 0) {
    process.tokens.Erase(event.to);
    return;
  }
  const Token* found = process.tokens.Find(event.from);
  if (found == nullptr || !process.calls.IsFree(found->call)) return;
  const Token token = *found;
  if (traits_.connection_tasks && process.senders.Find(event.to) != nullptr) return;
  const ExchangeId request = WorksOn(process, event.to);
  // Sockets, semaphores and queues wake by value: such a wake counts straight from the one that
  // received to the one that works on a request.
  if (event.change == ExecutionChange::kWokenByValue && (token.hops > 0 || request == 0)) return;
  // Go: in a select; it may have waited to give work to the one that wakes it.
  if (event.counter != 0 && token.hops > 0) return;
  if (request != 0) {
    // Older than the call, or it is not about this call.
    if (request < token.call) process.calls.Assign(token.call, request);
    return;
  }
  if (process.owns.Find(event.to) != nullptr && traits_.connection_tasks) return;
  if (token.hops < traits_.max_hops) {
    process.tokens.Put(event.to, {.call = token.call, .hops = token.hops + 1});
  }
}

void WakeRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
