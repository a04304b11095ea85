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
  if (!Covers(by) || HandsOverUnseen(by)) return;
  Process& process = processes_[by.tgid];
  const ExecutionId reader = KeyOf(by);
  process.owns.Put(reader, fact.id);
  process.calls.RequestBegins(fact.id);
}

void WakeRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsOpen(fact.id)) return;
  process->answered.insert(fact.id);
  if (!traits_.threads) return;
  // Who was woken did not wait for these calls: another thread answers.
  const ExchangeId* owned = process->owns.Find(KeyOf(fact.by));
  if (owned != nullptr && *owned == fact.id) return;
  RefuseCallsOf(*process, fact.id, verdicts);
  // Nor did the one that answers wait for its own request: it left that behind, in a queue.
  if (owned == nullptr) return;
  RefuseCallsOf(*process, *owned, verdicts);
  process->owns.Put(KeyOf(fact.by), 0);
}

void WakeRule::RefuseCallsOf(Process& process, ExchangeId request, std::vector<Verdict>& verdicts) {
  for (const ExchangeId call : process.calls.CallsOf(request)) {
    process.calls.Refuse(call, verdicts);
  }
}

void WakeRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  process->answered.erase(fact.id);
  if (process->calls_itself.erase(fact.id) != 0) {
    for (const ExchangeId call : process->calls.CallsOf(fact.id)) {
      if (process->by_worker.Find(call) != nullptr) process->calls.Refuse(call, verdicts);
    }
  }
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
}

bool WakeRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  // Whose response it is that a shared connection received is not known when it wakes somebody.
  if (!Covers(by) || fact.stream != 0) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr) return false;
  const ExecutionId sender = KeyOf(by);
  process->tokens.Erase(sender);
  if (traits_.threads) {
    if (const ExchangeId request = WorksOn(*process, sender)) {
      process->calls_itself.insert(request);
    }
    if (!process->calls.CallBegins(fact.id)) return false;
    process->sent_by.Put(fact.id, sender);
    return true;
  }
  // It reads requests and sends calls itself: then they are its own.
  const ExchangeId* owned = process->owns.Find(sender);
  if (owned == nullptr) process->senders.Put(sender, true);
  if (!process->calls.CallBegins(fact.id)) return false;
  if (owned != nullptr && IsWorkedOn(*process, *owned)) process->calls.Assign(fact.id, *owned);
  return true;
}

void WakeRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  if (!Covers(fact.by)) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsFree(fact.id)) return;
  const ExecutionId receiver = KeyOf(fact.by);
  const ExecutionId* sender = process->sent_by.Find(fact.id);
  if (sender != nullptr && *sender == receiver) {
    // It waited for its own response. If it is its own request's, another rule says so.
    if (WorksOn(*process, receiver) != 0) {
      process->calls.Refuse(fact.id, verdicts);
    } else {
      process->tokens.Put(receiver, {.call = fact.id, .hops = 0, .own = true});
    }
    return;
  }
  if (!traits_.awaiting_is_told) {
    process->tokens.Put(receiver, {.call = fact.id, .hops = 0});
    return;
  }
  const ExecutionId* awaits = process->awaiting.Find(fact.connection);
  if (awaits == nullptr) return;
  process->tokens.Put(*awaits, {.call = fact.id, .hops = 1});
  process->awaiting.Erase(fact.connection);
}

void WakeRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) {
  if (event.by.runtime != traits_.runtime) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  if (event.change == ExecutionChange::kMade) {
    if (!traits_.connection_tasks) return;
    const bool sender = process->senders.Find(event.from) != nullptr;
    const ExchangeId request = sender ? 0 : WorksOn(*process, event.from);
    if (request != 0) process->born_in.Put(event.to, request);
  } else if (event.change == ExecutionChange::kAwaited) {
    process->tokens.Erase(event.to);  // it has begun something new
    if (traits_.awaiting_is_told) process->awaiting.Put(event.connection, event.to);
  } else if (event.change == ExecutionChange::kWoken ||
             event.change == ExecutionChange::kWokenByValue) {
    Woken(*process, event, verdicts);
  }
}

void WakeRule::Woken(Process& process, const ExecutionEvent& event,
                     std::vector<Verdict>& verdicts) {
  // Who works on a request gives work to a pool's goroutine: what that did before is over.
  if (!traits_.threads && !traits_.connection_tasks && WorksOn(process, event.from) != 0) {
    process.tokens.Erase(event.to);
    return;
  }
  // A pool's thread that is woken has its next piece of work.
  const Token* finished = traits_.threads ? process.tokens.Find(event.to) : nullptr;
  if (finished != nullptr && finished->own) process.tokens.Erase(event.to);
  const Token* found = process.tokens.Find(event.from);
  if (found == nullptr) return;
  if (found->own) {
    WokenByWorker(process, event, found->call, verdicts);
    return;
  }
  if (!process.calls.IsFree(found->call)) return;
  const Token token = *found;
  // A thread that was woken passes on what it was woken for, once; what it does next may be for
  // another.
  if (traits_.threads && token.hops > 0) process.tokens.Erase(event.from);
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

// It has done its piece of work, and wakes whoever waits for the result; until its next call it may
// also wake the queue's next worker, and whoever waits for a lock that it leaves. Two that work on
// requests: which of them waited for the result is not known. A request whose own thread calls,
// too, may have waited for a lock of the client's: it is left out when it ends.
void WakeRule::WokenByWorker(Process& process, const ExecutionEvent& event, ExchangeId call,
                             std::vector<Verdict>& verdicts) {
  const ExchangeId request = WorksOn(process, event.to);
  if (request == 0) return;
  const ExchangeId assigned = process.calls.AssignedTo(call);
  if (assigned == request) return;
  if (assigned == 0 && request < call) {
    process.calls.Assign(call, request);
    process.by_worker.Put(call, true);
    return;
  }
  process.calls.Refuse(call, verdicts);
  process.tokens.Erase(event.from);
}

void WakeRule::OnProcessExit(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
