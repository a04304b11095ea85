// SPDX-License-Identifier: Apache-2.0
#include "trace/unpark_rule.h"

#include <cstdint>
#include <vector>

#include "sonde/base/metrics.h"
#include "sonde/pipeline/event.h"
#include "sonde/pipeline/exchange.h"
#include "trace/gated_rule.h"
#include "trace/link_method.h"
#include "trace/link_rule.h"

namespace sonde::trace {

UnparkRule::UnparkRule(MetricRegistry& metrics) : GatedRule(LinkMethod::kWakeup, metrics) {}

UnparkRule::Process* UnparkRule::Find(uint32_t tgid) {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? nullptr : &found->second;
}

// Before JDK 21 threads have no numbers, and there are no virtual ones.
bool UnparkRule::IsCarrier(Process& process, const Execution& by) {
  const uint64_t* number = process.numbers.Find(by.tid);
  if (number != nullptr && *number != by.id) return true;
  if (number != nullptr || by.id == 0) process.has_platform_threads = true;
  process.numbers.Put(by.tid, by.id);
  return false;
}

// The open request that the thread read last; 0 = none.
ExchangeId UnparkRule::WorksOn(Process& process, ThreadId thread) {
  const ExchangeId* owned = process.owns.Find(thread);
  if (owned == nullptr) return 0;
  const bool at_work = process.calls.IsOpen(*owned) && !process.answered.contains(*owned);
  return at_work ? *owned : 0;
}

// It may wait for the response since the call was sent.
bool UnparkRule::HasWaited(Process& process, ThreadId thread, ExchangeId call) {
  const Sent* sent = process.sent.Find(call);
  const uint64_t* active = process.active.Find(thread);
  return sent != nullptr && (active == nullptr || *active <= sent->at_ns);
}

void UnparkRule::OnRequestRead(const RequestFact& fact, std::vector<Verdict>& verdicts) {
  const Execution& by = fact.last_by;
  if (by.runtime != RuntimeKind::kJava || IsClosed(by.tgid)) return;
  Process& process = processes_[by.tgid];
  if (IsCarrier(process, by)) return CloseGate(by.tgid, verdicts);
  process.owns.Put(by.tid, fact.id);
  process.active.Put(by.tid, fact.mono_ns);
  process.calls.RequestBegins(fact.id);
}

void UnparkRule::OnAnswerStarted(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsOpen(fact.id)) return;
  process->answered.insert(fact.id);
  // Who was woken did not wait for these calls: another thread answers.
  const ExchangeId* owned = process->owns.Find(fact.by.tid);
  if (owned != nullptr && *owned == fact.id) return;
  RefuseCallsOf(*process, fact.id, verdicts);
  // Nor did the one that answers wait for its own request: it left that behind, in a queue.
  if (owned == nullptr) return;
  RefuseCallsOf(*process, *owned, verdicts);
  process->owns.Put(fact.by.tid, 0);
}

void UnparkRule::RefuseCallsOf(Process& process, ExchangeId request,
                               std::vector<Verdict>& verdicts) {
  for (const ExchangeId call : process.calls.CallsOf(request)) {
    process.calls.Refuse(call, verdicts);
  }
}

void UnparkRule::OnRequestEnded(const EndFact& fact, std::vector<Verdict>& verdicts) {
  Process* process = Find(fact.requested_by.tgid);
  if (process == nullptr) return;
  process->answered.erase(fact.id);
  const bool calls_itself = process->calls_itself.erase(fact.id) != 0;
  for (const ExchangeId call : process->calls.CallsOf(fact.id)) {
    const ThreadId* waiter = process->by_waiter.Find(call);
    const bool by_helper = waiter != nullptr && process->helpers.Find(*waiter) != nullptr;
    const bool for_lock = calls_itself && process->by_caller.Find(call) != nullptr;
    if (!process->has_platform_threads || by_helper || for_lock) {
      process->calls.Refuse(call, verdicts);
    }
  }
  process->calls.RequestEnds(fact.id, fact.complete, verdicts);
}

bool UnparkRule::OnCallSent(const RequestFact& fact) {
  const Execution& by = fact.first_by;
  // Whose response it is that a shared connection received is not known when it wakes somebody.
  if (by.runtime != RuntimeKind::kJava || fact.stream != 0) return false;
  Process* process = Find(by.tgid);
  if (process == nullptr) return false;
  process->tokens.Erase(by.tid);
  process->active.Put(by.tid, fact.mono_ns);
  if (const ExchangeId request = WorksOn(*process, by.tid)) process->calls_itself.insert(request);
  if (!process->calls.CallBegins(fact.id)) return false;
  process->sent.Put(fact.id, {by.tid, fact.mono_ns});
  return true;
}

void UnparkRule::OnCallAnswered(const ResponseFact& fact, std::vector<Verdict>& verdicts) {
  if (fact.by.runtime != RuntimeKind::kJava) return;
  Process* process = Find(fact.by.tgid);
  if (process == nullptr || !process->calls.IsFree(fact.id)) return;
  const ThreadId receiver = fact.by.tid;
  const Sent* sent = process->sent.Find(fact.id);
  const bool own = sent != nullptr && sent->by == receiver;
  if (own && WorksOn(*process, receiver) != 0) {
    // It waited for the response itself: if it is its own request's, another rule says so.
    process->calls.Refuse(fact.id, verdicts);
    return;
  }
  process->tokens.Put(receiver, {.call = fact.id, .hops = 0, .own = own});
}

void UnparkRule::OnExecution(const ExecutionEvent& event, std::vector<Verdict>& verdicts) {
  if (event.by.runtime != RuntimeKind::kJava || event.change != ExecutionChange::kWoken) return;
  Process* process = Find(event.by.tgid);
  if (process == nullptr) return;
  const bool waits_on = Woken(*process, event.from, event.to, verdicts);
  process->active.Put(event.from, event.mono_ns);
  if (!waits_on) process->active.Put(event.to, event.mono_ns);
}

// True: it has one of the results that it waits for, and has done nothing but wait for them.
bool UnparkRule::Woken(Process& process, ThreadId by, ThreadId thread,
                       std::vector<Verdict>& verdicts) {
  // A pool's worker that is woken has its next piece of work.
  const Token* finished = process.tokens.Find(thread);
  if (finished != nullptr && finished->own) process.tokens.Erase(thread);
  const Token* found = process.tokens.Find(by);
  if (found == nullptr) return false;
  const Token token = *found;
  if (token.own) {
    WokenByWorker(process, by, thread, token.call, verdicts);
    return false;
  }
  const ExchangeId request = WorksOn(process, thread);
  const ExchangeId assigned = process.calls.AssignedTo(token.call);
  if (assigned == 0 && !process.calls.IsFree(token.call)) return false;
  if (request == 0 && token.hops == 0) {
    process.helpers.Put(thread, true);
    if (assigned != 0) return false;
    process.tokens.Erase(by);  // what it does next may be for another
    process.tokens.Put(thread, {.call = token.call, .hops = 1});
    return false;
  }
  const bool helps = request == 0 && process.helpers.Find(thread) != nullptr;
  if (helps || !HasWaited(process, thread, token.call)) return false;
  if (assigned != 0 || token.passed) {
    if (assigned != 0 && assigned == request) return false;
    process.calls.Refuse(token.call, verdicts);
    process.tokens.Erase(by);
  } else if (request != 0) {
    if (request > token.call) return false;  // it is not about this call
    process.calls.Assign(token.call, request);
    if (token.hops < 2) return false;
    process.by_waiter.Put(token.call, by);
    return true;
  } else if (token.hops < kMaxHops) {
    process.tokens.Put(by, {.call = token.call, .hops = token.hops, .passed = true});
    process.tokens.Put(thread, {.call = token.call, .hops = token.hops + 1});
  }
  return false;
}

// It has done its piece of work, and wakes whoever waits for the result; until its next call it may
// also wake the queue's next worker, and whoever waits for a lock that it leaves. Two that work on
// requests: which of them waited for the result is not known. A request whose own thread calls,
// too, may have waited for a lock of the client's: it is left out when it ends.
void UnparkRule::WokenByWorker(Process& process, ThreadId worker, ThreadId thread, ExchangeId call,
                               std::vector<Verdict>& verdicts) {
  const ExchangeId request = WorksOn(process, thread);
  if (request == 0) return;
  const ExchangeId assigned = process.calls.AssignedTo(call);
  if (assigned == request) return;
  if (assigned == 0 && request < call) {
    process.calls.Assign(call, request);
    process.by_caller.Put(call, true);
    return;
  }
  process.calls.Refuse(call, verdicts);
  process.tokens.Erase(worker);
}

void UnparkRule::ForgetProcess(uint32_t tgid, std::vector<Verdict>& verdicts) {
  Process* process = Find(tgid);
  if (process == nullptr) return;
  process->calls.Clear(verdicts);
  processes_.erase(tgid);
}

}  // namespace sonde::trace
